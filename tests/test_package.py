"""What `pip install` gives people: the source archive builds by itself, and the wheel made of it lacks nothing. Both
are made outside the tree, so that nothing that lies around in it can help but what Cython made of the same sources;
that is compiled without optimisation. It saves three quarters of the time and nothing of what is asked here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path, PurePath

import pytest

from tests.tidy.tree import ROOT, compiled, ours

PACKAGED = {path.relative_to("src").as_posix() for path in ours() if path.parts[0] == "src" and path.suffix != ".pyx"}
OLDER_S = 1_000_000_000
"""When the copied sources were changed: before Cython read them. An archive of the format has no time before 1980."""

COMPILED = [path.relative_to("src").with_suffix("") for path in compiled()]


def run(*command: str, cwd: Path, **env: str) -> None:
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-8000:]}"


def build(kind: str, tree: Path, into: Path) -> Path:
    """Ask the build backend for an sdist or a wheel of `tree`, without an index; the one file that it made."""
    hook = f"from setuptools.build_meta import build_{kind}; build_{kind}({str(into)!r})"
    run(sys.executable, "-c", hook, cwd=tree, PYTHONPATH="", FASTGATE_QUICK="1")
    (made,) = into.iterdir()
    return made


@pytest.fixture(scope="module")
def source_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = tmp_path_factory.mktemp("tree")
    for path in ours():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes((ROOT / path).read_bytes())
        os.utime(tree / path, (OLDER_S, OLDER_S))
    return build("sdist", tree, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(source_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    unpacked = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(source_archive) as archive:
        # Python 3.11.2, which Debian 12 has, does not know the filter yet; the archive is our own.
        archive.extractall(unpacked, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    (tree,) = unpacked.iterdir()
    shutil.copytree(ROOT / "build/cython", tree / "build/cython")
    return build("wheel", tree, tmp_path_factory.mktemp("wheel"))


def test_the_source_archive_has_every_source_and_nothing_built(source_archive: Path) -> None:
    with tarfile.open(source_archive) as archive:
        names = {"/".join(PurePath(member.name).parts[1:]) for member in archive.getmembers() if member.isfile()}
    missing = {path.as_posix() for path in ours() if path.parts[0] in {"src", "tests"}} - names
    assert not missing
    assert {"LICENSE", "NOTICE", "README.md", "Makefile", "setup.py"} <= names
    assert not {name for name in names if name.endswith((".c", ".so", ".pyc"))}


@pytest.mark.timeout(600)  # compiles every module, on one core if need be
def test_the_wheel_has_every_module_with_its_data(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert not PACKAGED - names
    built = {name.split(".")[0] for name in names if name.endswith(".so")}
    assert built == {path.as_posix() for path in COMPILED}
    assert not {name for name in names if name.endswith((".pyx", ".c"))}


def test_the_wheel_works_without_a_checkout(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    imports = "; ".join(f"import {'.'.join(path.parts)}" for path in COMPILED)
    ours_first = f"import fastgate; assert fastgate.__file__.startswith({str(tmp_path)!r}); {imports}"
    run(sys.executable, "-c", ours_first, cwd=tmp_path, PYTHONPATH=str(tmp_path))
    run(sys.executable, "-m", "fastgate.cli", "--version", cwd=tmp_path, PYTHONPATH=str(tmp_path))
