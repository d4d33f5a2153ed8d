"""Build of the compiled hot path, one extension a module, no generated C in the tree: fastgate._core, written in
Cython, and each Python file with a .pxd beside it, which gives its variables C types and changes nothing else.

Switches (environment): FASTGATE_DEBUG=1 (-O0, asserts, line numbers), FASTGATE_QUICK=1 (-O0 alone),
FASTGATE_COVERAGE=1 (line tracing for coverage.py), FASTGATE_SANITIZE=1 (address and undefined-behaviour sanitizers),
FASTGATE_FUZZ=1 (with it, under clang: coverage for libFuzzer), FASTGATE_WERROR=1 (CI), FASTGATE_ANNOTATE=1 (HTML beside
each module). A failed compilation fails the installation.
"""

import os
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup


def switch(name: str) -> bool:
    return os.environ.get(f"FASTGATE_{name}") == "1"


DEBUG, COVERAGE, SANITIZE, FUZZ = switch("DEBUG"), switch("COVERAGE"), switch("SANITIZE"), switch("FUZZ")

flags = ["-O0", "-g3", "-UNDEBUG"] if DEBUG or SANITIZE else ["-O3", "-g1", "-DNDEBUG"]
if switch("QUICK"):
    flags += ["-O0", "-g0"]
flags += ["-Wall", "-Wextra", "-Wno-unused-parameter", "-Wno-unused-function", "-Wno-missing-field-initializers"]
flags += ["-Wno-cast-function-type", "-fno-strict-aliasing"]
link: list[str] = []
macros: list[tuple[str, str | None]] = []
if switch("WERROR"):
    flags.append("-Werror")
if SANITIZE:
    sanitizers = ["-fsanitize=address,undefined", "-fno-omit-frame-pointer", "-fno-sanitize-recover=undefined"]
    flags += sanitizers
    link += sanitizers
if FUZZ:
    flags += ["-fsanitize=fuzzer-no-link", "-O1"]
if COVERAGE:
    macros += [("CYTHON_TRACE", "1"), ("CYTHON_TRACE_NOGIL", "1"), ("CYTHON_USE_SYS_MONITORING", "0")]
if DEBUG:
    macros += [("FASTGATE_DEBUG", "1")]

common = {
    "language_level": "3",
    "initializedcheck": False,
    "embedsignature": True,
    "linetrace": COVERAGE,
}
core = {**common, "boundscheck": DEBUG or SANITIZE, "wraparound": False, "cdivision": True}
# Python stays Python: the same indexing and division, and annotations give no types. Money is left a Python integer.
typed = {**common, "annotation_typing": False, "binding": True}


def extension(path: Path) -> Extension:
    return Extension(
        ".".join(path.relative_to("src").with_suffix("").parts),
        [str(path)],
        extra_compile_args=flags,
        extra_link_args=link,
        define_macros=macros,
        include_dirs=["src/fastgate/_core"],
        depends=[str(p) for suffix in ("pxd", "h") for p in Path("src/fastgate/_core").glob(f"*.{suffix}")],
    )


def compiled(paths: list[Path], directives: dict[str, object]) -> list[Extension]:
    extensions = [extension(path) for path in paths]
    if sys.argv[1:2] in (["sdist"], ["egg_info"], ["dist_info"]):
        return extensions  # asked what there is, not to build it
    return cythonize(
        extensions,
        build_dir="build/cython",
        compiler_directives=directives,
        annotate=switch("ANNOTATE"),
        include_path=["src"],
        force=DEBUG or COVERAGE or SANITIZE,
        show_all_warnings=False,
    )


layouts = sorted(Path("src/fastgate").rglob("*.pxd"))
setup(
    options={"build_ext": {"parallel": os.cpu_count()}},
    ext_modules=[
        *compiled(sorted(Path("src/fastgate/_core").glob("*.pyx")), core),
        *compiled([path.with_suffix(".py") for path in layouts if path.with_suffix(".py").exists()], typed),
    ],
)
