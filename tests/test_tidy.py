"""The house rules (CONTRIBUTING.md) applied to every file of the project. A complaint names file, line and reason."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from scripts import promises
from tests.tidy import cython, rules
from tests.tidy.rules import Complaint
from tests.tidy.tree import ROOT, ours, text, tracked, with_suffix

MAX_LINES = {".py": 400, ".pyx": 500, ".pxd": 500}
"""One sitting a file. The median is near 150."""

ANY_ERROR_ENDS_HERE = {
    "src/fastgate/control/background.py": "graphs that are not saved cost seconds, and must not end the control plane",
    "src/fastgate/gateway/arrivals.py": "it is the server's to answer and to log, as with its own tasks",
    "src/fastgate/gateway/opening.py": "the server's thread can tell nobody, and what fails there is tried in a task",
    "src/fastgate/gateway/pipeline.py": "a defect of ours must still leave an answer and a record",
    "src/fastgate/gateway/plain.py": "the same, where no task would tell of it",
    "src/fastgate/guards/review.py": "a guard that raises gave no verdict, and the answer behind it must still go on",
}
"""The only files that may swallow `except Exception`, each with its reason."""

OWNERS_OF_MONEY = ("src/fastgate/prices/", "src/fastgate/_core/money", "src/fastgate/_core/escrow")
READS_A_CLOCK = {
    "src/fastgate/clock.py": "it is the clock",
    "src/fastgate/gateway/serve.py": "compares with the time that Granian notes for each worker",
    "src/fastgate/cli/": "waits for other processes, before a person",
    "src/fastgate/sim/": "another program, which only tests and demos run",
}
"""Path prefixes that read the machine's clock themselves, each with its reason."""

NOT_PROSE = {"LICENSE", "requirements/constraints.txt"}
PROSE = (".md", ".sh", ".toml", ".yaml", ".yml", ".in", ".cfg", "")
BUILT = (".c", ".cpp", ".so", ".o", ".a", ".pyc", ".pyd", ".whl", ".egg", ".sqlite", ".fgj", ".flight", ".log")


def test_promises_are_what_the_tests_prove() -> None:
    assert not promises.stale(), "PROMISES.md is out of date: run python scripts/promises.py"


def report(complaints: Iterable[tuple[Path, int, str]]) -> None:
    """Fails with every complaint at once, in the form that editors jump to."""
    lines = [f"{path}:{line}: {reason}" for path, line, reason in complaints]
    if lines:
        pytest.fail(f"{len(lines)} complaints\n" + "\n".join(lines), pytrace=False)


def python_files(under: str = "") -> Iterator[tuple[Path, ast.Module]]:
    for path in with_suffix(".py", under=under):
        yield path, ast.parse(text(path), path.as_posix())


def cython_files() -> list[Path]:
    return with_suffix(".pyx", ".pxd", under="src/")


def readable() -> Iterator[Path]:
    """Every text file of ours but the licence."""
    for path in ours():
        if path.as_posix() not in NOT_PROSE and path.suffix not in {".png", ".ico", ".woff2", ".bin", ".gz"}:
            yield path


def over_python(rule: Callable[[ast.Module], Iterator[Complaint]], under: str = "") -> Iterator[tuple[Path, int, str]]:
    for path, tree in python_files(under):
        for line, reason in rule(tree):
            yield path, line, reason


def over_cython(rule: Callable[[str], Iterator[Complaint]]) -> Iterator[tuple[Path, int, str]]:
    for path in cython_files():
        for line, reason in rule(text(path)):
            yield path, line, reason


def test_there_is_something_to_judge() -> None:
    assert len(list(python_files("src/"))) > 20
    assert len(cython_files()) > 10
    assert Path("README.md") in ours()


def test_files_are_short() -> None:
    report(
        (path, MAX_LINES[path.suffix], f"{count} lines, {MAX_LINES[path.suffix]} are allowed")
        for path in with_suffix(*MAX_LINES)
        if (count := text(path).count("\n")) > MAX_LINES[path.suffix]
    )


def test_lines_are_short() -> None:
    """Python and Cython lines are ruff's and cython-lint's; this is for everything else that people read."""
    prose = [path for path in readable() if path.suffix in PROSE]
    report((path, line, reason) for path in prose for line, reason in rules.long_lines(text(path)))


def test_python_functions_are_short() -> None:
    report(over_python(rules.long_functions))


def test_cython_functions_are_short() -> None:
    report(over_cython(cython.long_functions))


def test_python_names_say_something() -> None:
    report(over_python(rules.names))


def test_cython_names_say_something() -> None:
    report(over_cython(cython.names))


def test_file_names_say_something() -> None:
    report((path, 1, said) for path in ours() for part in path.parts if (said := rules.name_complaint(part)))


def test_every_module_opens_with_what_it_owns() -> None:
    own = [
        (path, line, reason)
        for path, tree in python_files()
        if path.name != "__init__.py" or path.parts[0] == "src" or tree.body
        for line, reason in rules.docstring(tree)
    ]
    compiled = [
        (path, 1, "a file opens with what it owns")
        for path in cython_files()
        # a layout is introduced by its module
        if path.suffix == ".pyx" or not {path.with_suffix(".pyx"), path.with_suffix(".py")} & set(ours())
        if not cython.opens_with_docstring(text(path))
    ]
    report(own + compiled)


def test_every_package_has_an_init() -> None:
    folders = {path.parent for path in with_suffix(".py", ".pyx", under="src/fastgate/")}
    report((folder, 1, "no __init__.py") for folder in sorted(folders) if folder / "__init__.py" not in ours())


QUOTED = Path("bench/guards/planted")
"""What others write into their files, what they put off among it."""


def test_nothing_is_put_off_and_no_machine_or_registry_is_named() -> None:
    read = [path for path in readable() if path.parent != QUOTED]
    report((path, line, reason) for path in read for line, reason in rules.text_rules(text(path)))


def test_errors_are_not_swallowed() -> None:
    found = over_python(rules.blind_except, "src/")
    report(one for one in found if one[0].as_posix() not in ANY_ERROR_ENDS_HERE)


def test_the_files_that_may_swallow_errors_do() -> None:
    swallow = {path.as_posix() for path, _, _ in over_python(rules.blind_except, "src/")}
    assert set(ANY_ERROR_ENDS_HERE) <= swallow, "drop what no longer needs the exception"


def test_money_is_never_a_float() -> None:
    named = list(over_python(rules.float_money, "src/"))
    owned = [one for one in over_python(rules.any_float, "src/") if one[0].as_posix().startswith(OWNERS_OF_MONEY)]
    compiled = [one for one in over_cython(cython.floats) if one[0].as_posix().startswith(OWNERS_OF_MONEY)]
    assert any(path.as_posix().startswith(OWNERS_OF_MONEY) for path in cython_files())
    report(named + owned + compiled)


def test_time_comes_from_the_clock() -> None:
    found = over_python(rules.stray_clock, "src/")
    report(one for one in found if not one[0].as_posix().startswith(tuple(READS_A_CLOCK)))


def test_every_cdef_function_declares_its_exceptions() -> None:
    c_records = set().union(*(cython.records(text(path)) for path in cython_files()))
    report(over_cython(lambda source: cython.undeclared_exceptions(source, c_records)))


def test_the_core_knows_nothing_above_it() -> None:
    found = over_cython(cython.foreign_imports)
    report(one for one in found if one[0].as_posix().startswith("src/fastgate/_core/"))


@pytest.mark.parametrize("path", [p for p in cython_files() if p.suffix == ".pyx"], ids=lambda p: p.stem)
def test_every_compiled_module_has_its_stub_and_layout(path: Path) -> None:
    assert path.with_suffix(".pyi") in ours(), "mypy and readers need the Python face of it"
    if cython.has_cdef_class(text(path)):
        assert path.with_suffix(".pxd") in ours(), "other modules cimport its classes"


def test_nothing_that_was_built_is_tracked() -> None:
    folders = {"build", "dist", "node_modules", ".venv", "__pycache__", "fastgate-data", ".peers"}
    built = [name for name in tracked() if name.endswith(BUILT) or folders.intersection(Path(name).parts)]
    assert not built, built


def test_links_between_pages_lead_somewhere() -> None:
    report(
        (page, text(page).count("\n", 0, found.start()) + 1, f"no {found[1]}")
        for page in with_suffix(".md")
        for found in re.finditer(r"\]\((?!https?:|#|mailto:)([^)#]+)(?:#[^)]*)?\)", text(page))
        if not (ROOT / page.parent / found[1]).exists()
    )


def test_everything_that_make_installs_is_pinned() -> None:
    project = tomllib.loads(text(Path("pyproject.toml")))
    wanted = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    wanted += project["project"]["optional-dependencies"]["test"]
    pinned = {line.partition("==")[0].lower() for line in text(Path("requirements/constraints.txt")).splitlines()}
    names = {re.split(r"[<>=!~\[; ]", line)[0].lower() for line in wanted}
    assert names <= pinned, "run make lock"
