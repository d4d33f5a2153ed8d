"""Writes PROMISES.md from the tests' markers: `python scripts/promises.py`; `--check` exits 1 when it is out of date.

A promise appears if a test carries `@pytest.mark.promise("P-02", bound="…")`, and only then. The markers are read, not
run: a bound is a literal, or an f-string over plain constants of its module. The sentences are the register's, below.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "PROMISES.md"

REGISTER = {
    "Money": {
        "P-01": "Spend is conserved over `kill -9`: every billed call is charged once, at least what was seen",
        "P-02": "Nothing passes a hard ceiling, however many calls, workers and nodes",
        "P-03": "A crash of Redis loses nothing that was acknowledged",
        "P-04": "An outage of the store follows the declared policy",
        "P-05": "A client that leaves cancels the provider, and what it got is charged",
        "P-06": "Every failure of a provider has one defined outcome",
        "P-07": "A repeated call is billed once",
        "P-08": "Money is exact: integers, rounded up once, refused before they overflow",
        "P-09": "Periods tile time in every zone",
        "P-10": "Money is conserved under any interleaving",
        "P-33": "Budget stages, and pauses by hand, are in force at every worker within a second",
    },
    "Flow": {
        "P-11": "Memory per slow client is bounded",
        "P-12": "Slow requests end on time and slow nobody else",
        "P-13": "Overload sheds calls and does not collapse",
        "P-14": "Many streams can be open at once",
        "P-15": "A drain drops nothing",
        "P-16": "One bad call harms no other",
    },
    "Security": {
        "P-17": "What was judged is what is sent",
        "P-18": "No request is smuggled",
        "P-19": "No value begins a header, and no header travels that is not on the list",
        "P-20": "Keys cannot be told apart by time or by answer",
        "P-21": "No address is reached that was not configured",
        "P-22": "Compressed and nested bombs do nothing",
        "P-23": "Secrets reach no log, record, metric, error or page",
        "P-24": "Tenants share no cache and no stream",
        "P-25": "Parsers never crash, whatever the bytes and however they are split",
        "P-32": "A secret that a guard hides reaches no provider, and comes back intact",
    },
    "Operation": {
        "P-26": "A reload is atomic: each call belongs to one configuration, a bad one changes nothing",
        "P-27": "A full or broken disk never loses a record silently",
        "P-28": "Telemetry is never on a call's path",
        "P-29": "Nothing leaks: memory, descriptors, tasks",
        "P-30": "The event loop is never blocked",
        "P-31": "A change of keys takes force at once",
    },
}

HEAD = """# Promises

Generated from the tests by `python scripts/promises.py`; do not edit here. Each line is a promise that a test proves,
with the measured bound where it has one. A promise without a test does not appear. *Suite* is where it runs: `test` is
`make test`, `faults` is `make faults` and `soak` is `make soak` only, for forms that take longer. Where `make test`
runs a short form, or some rows of a table, the bound is that of the full form, which `make faults` runs.
"""

TAIL = """## Known limits

- A record is in the kernel's page cache when its call ends. It survives the death of any process; after a power loss
  the last records may be missing unless `journal.fsync` is `always`.
- What the provider's own tools read is bounded for a hold by `limits.server_tool_tokens`; a call whose tools read more
  may pass a hard ceiling by the difference.
- Slow connections take CPU of the machine like others: P-12 holds them against the same connections to another server
  on it (bench/README.md).
- Refusing a call costs a worker most of what serving a small one does: P-13 is held with calls that cost it a
  millisecond and more, as new conversations under guards do. Many times too many small calls take goodput too.
- TLS record overhead counts as acknowledged bytes, so a slow client over TLS is held to a slightly smaller window.
- Requests whose lines end in bare line feeds are read as if they ended in CRLF, as most servers do; what is sent to the
  provider is always framed anew.
"""


@dataclass(frozen=True, order=True)
class Proof:
    """One marked test."""

    promise: str
    suite: str
    bound: str
    where: str


def constants(module: ast.Module) -> dict[str, Any]:
    """The module's plain constants by name."""
    found: dict[str, Any] = {}
    for node in module.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            try:
                found[node.targets[0].id] = value_of(node.value, found)
            except (ValueError, KeyError):
                continue
    return found


def value_of(node: ast.expr, known: dict[str, Any]) -> Any:
    """A literal, or an f-string of known constants. ValueError or KeyError for anything else."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(value_of(part, known)) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        shown = value_of(node.value, known)
        return format(shown, str(value_of(node.format_spec, known)) if node.format_spec else "")
    if isinstance(node, ast.Name):
        return known[node.id]
    return ast.literal_eval(node)


def marks(marked: Iterable[ast.expr]) -> Iterator[tuple[str, ast.Call | None]]:
    """The pytest marks in decorators, or in what a `marks=` or a `pytestmark` is: name, and the call if it is one."""
    for expression in marked:
        for node in ast.walk(expression):
            call = node if isinstance(node, ast.Call) else None
            target = call.func if call is not None else node
            if isinstance(target, ast.Attribute) and ast.unparse(target.value) == "pytest.mark":
                yield target.attr, call


def suite_of(names: set[str], where: str) -> str:
    """Where a test with these marks runs. SystemExit for a long form that no target of the Makefile takes."""
    if "soak" in names:
        return "soak"
    if "slow" not in names:
        return "test"
    if "faults" not in names:
        raise SystemExit(f"{where}: slow, and in neither make faults nor make soak: mark it faults or soak")
    return "faults"


def marks_of_rows(test: ast.FunctionDef | ast.AsyncFunctionDef, module: ast.Module) -> list[set[str]]:
    """The marks of each of a test's parameters that has its own, beside it or in a constant of its module."""
    named = {word.id for mark in test.decorator_list for word in ast.walk(mark) if isinstance(word, ast.Name)}
    tables = [node.value for node in module.body if isinstance(node, ast.Assign) and names_of(node) & named]
    inside = (word for tree in (*test.decorator_list, *tables) for word in ast.walk(tree))
    found = [word.value for word in inside if isinstance(word, ast.keyword) and word.arg == "marks"]
    return [{name for name, _ in marks([value])} for value in found]


def names_of(node: ast.Assign) -> set[str]:
    return {target.id for target in node.targets if isinstance(target, ast.Name)}


def suite(test: ast.FunctionDef | ast.AsyncFunctionDef, module: ast.Module, where: str) -> str:
    """Where a test runs, by its own marks, those of its module and those of its rows."""
    of_module = [node.value for node in module.body if isinstance(node, ast.Assign) and "pytestmark" in names_of(node)]
    own = {name for name, _ in marks([*of_module, *unparameterized(test)])}
    whole = suite_of(own, where)
    longer = {suite_of(own | row, where) for row in marks_of_rows(test, module)} - {whole}
    return f"{whole}; in full: {', '.join(sorted(longer))}" if longer else whole


def unparameterized(test: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.expr]:
    """A test's decorators but those whose marks are those of rows."""
    return [mark for mark in test.decorator_list if not ast.unparse(mark).startswith("pytest.mark.parametrize(")]


def proofs() -> list[Proof]:
    """Every marked test. SystemExit for a marker that cannot be read or names no promise."""
    known_ids = {name for promises in REGISTER.values() for name in promises}
    found = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        module = ast.parse(path.read_text(encoding="utf-8"))
        names = constants(module)
        for node in ast.walk(module):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            where = f"{path.relative_to(ROOT)}::{node.name}"
            for name, call in marks(unparameterized(node)):
                if name != "promise" or call is None:
                    continue
                try:
                    promise = value_of(call.args[0], names)
                    bound = next((value_of(word.value, names) for word in call.keywords if word.arg == "bound"), "")
                except (ValueError, KeyError) as error:
                    raise SystemExit(f"{where}: a promise is a literal or an f-string of constants ({error})") from None
                if promise not in known_ids:
                    raise SystemExit(f"{where}: {promise} is not in the register of scripts/promises.py")
                found.append(Proof(promise, suite(node, module, where), bound, where))
    return sorted(found)


def page() -> str:
    """PROMISES.md as the tests have it now."""
    found = proofs()
    parts = [HEAD]
    for title, promises in REGISTER.items():
        rows = []
        for promise, sentence in promises.items():
            mine = [proof for proof in found if proof.promise == promise]
            for number, proof in enumerate(mine):
                name = f"**{promise}** {sentence}" if number == 0 else ""
                rows.append(f"| {name} | {proof.bound} | {proof.suite} | `{proof.where.removeprefix('tests/')}` |")
        if rows:
            parts.append(f"## {title}\n\n| Promise | Bound | Suite | Test (in `tests/`) |\n|---|---|---|---|\n")
            parts[-1] += "\n".join(rows) + "\n"
    return "\n".join([*parts, TAIL])


def stale() -> bool:
    return not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page()


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        raise SystemExit("PROMISES.md is out of date: run python scripts/promises.py" if stale() else 0)
    PAGE.write_text(page(), encoding="utf-8")
