# ruff: noqa: INP001 - a script, not a package
"""Writes docs/reference/config.md, cli.md and failures.md from the code that they describe.

`python docs/generate.py` writes them; with `--check` it changes nothing and exits 1 when one of them is out of date.
The configuration's text is the structs' own documentation, the command line's is click's own help, the failures' is the
table that the tests prove row by row.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
import textwrap
import types
import typing
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import click
import msgspec

from fastgate.config import Config
from fastgate.directory import Directory
from fastgate.refs import Secret
from fastgate.strict import Range

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference"

HELP_WIDTH = 100
"""Columns of the help texts in cli.md."""

HELP_OPTIONS = ["-h", "--help"]

TEXT_WIDTH = 118
"""Columns of running text."""

CONFIG_HEAD = """# fastgate.yaml

Generated from the structs in `src/fastgate/config.py` by `docs/generate.py`; do not edit here.

`fastgate check` prints every mistake in the file at once, each with its line and path. Unknown keys, and keys of
features that this version does not have, are errors that name the nearest known key. `${VAR}` is replaced from the
environment wherever a value is or contains it; a missing variable is an error. SIGHUP, or `POST /api/v1/reload` on the
control plane, reads the file again; a bad file leaves the running configuration untouched and says why.
"""

DIRECTORY_HEAD = """# directory.yaml

Generated from the structs in `src/fastgate/directory.py` and `directory_budgets.py` by `docs/generate.py`; do not edit
here.

Who may call, and what they may spend. Applied at start, on reload and by `fastgate apply -f directory.yaml`: what an
earlier file declared and this one does not is removed, and what was made by command or through the API stays. `fastgate
check` prints every mistake at once. [budgets.md](../budgets.md) explains budgets and limits.
"""

CLI_HEAD = """# The command line

Generated from the commands' own help by `docs/generate.py`; do not edit here.

Every command takes `--json` and `-c FILE`, before or after its arguments. Without `-c` the configuration is
`./fastgate.yaml`, then `$FASTGATE_CONFIG`, then the running instance named in `./fastgate-data/run.json`. Commands that
read or change state go through the control plane when it runs, else straight to the state directory. Under `--json`,
listings print `{"items": […], "next": …}`; `next` is the cursor of the next page, or null. The exit codes are in
[errors.md](errors.md).
"""

FAILURES_HEAD = """# What an upstream may do wrong

Generated from the table in `tests/support/failures.py` by `docs/generate.py`; do not edit here. A test proves every
row, streamed and not, with the upstream's own log as the oracle of the charge (`tests/gateway/test_failures.py`).

*Kind* is what the call's record, metrics and alerts say; its source is `upstream` in every row. The table is that of
one attempt (`limits.attempts: 1`). By default the gateway makes up to three, while nothing of an answer has reached the
client: elsewhere, or at the same endpoint after a pause; the client then sees the last one's outcome, and what a failed
one cost is charged too. A stream is held until its content begins, so a failure before that is the 529 of an answer
that is not streamed. What is charged where the provider stated nothing is the least it can have cost; with
`limits.unknown_usage: bound` it is the most.
"""

PLAIN_NAMES: dict[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Decimal: "decimal number",
    Secret: "text, secret",
    Any: "anything",
    datetime: "date, or date and time",
}


def field_texts(kind: type[Any]) -> dict[str, str]:
    """The string after each field of a class and of those it is made from, as one line."""
    texts: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if issubclass(base, msgspec.Struct) and base is not msgspec.Struct:
            texts |= own_texts(base)
    return texts


def own_texts(kind: type[Any]) -> dict[str, str]:
    module = ast.parse(inspect.getsource(importlib.import_module(kind.__module__)))
    body = next(node.body for node in module.body if isinstance(node, ast.ClassDef) and node.name == kind.__name__)
    texts = {}
    for field, text in pairwise(body):
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            texts[field.target.id] = " ".join(str(text.value.value).split())
    return texts


def without_marks(hint: Any) -> tuple[Any, list[Any]]:
    """A type and its annotations, None left out of a union."""
    if get_origin(hint) is typing.Annotated:
        base, *marks = get_args(hint)
        return base, marks
    if get_origin(hint) in (types.UnionType, typing.Union):
        rest = [option for option in get_args(hint) if option is not types.NoneType]
        if len(rest) == 1:
            return without_marks(rest[0])
    return hint, []


def type_text(hint: Any) -> str:
    """A type as a reader of YAML understands it."""
    base, marks = without_marks(hint)
    bounds = next((f", {mark.low} to {mark.high}" for mark in marks if isinstance(mark, Range)), "")
    if get_origin(base) in (types.UnionType, typing.Union):
        return " or ".join(type_text(option) for option in get_args(base))
    if get_origin(base) is Literal:
        return " or ".join(f"`{word}`" for word in get_args(base))
    if get_origin(base) in (tuple, list):
        return "list: " + type_text(get_args(base)[0])
    if get_origin(base) is dict:
        return "mapping to " + type_text(get_args(base)[1])
    if isinstance(base, type) and issubclass(base, msgspec.Struct):
        return "section"
    return PLAIN_NAMES[base] + bounds


def default_text(field: msgspec.structs.FieldInfo) -> str:
    """A default as it would be written in the file."""
    if field.required:
        return "required"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    if value is None or value in ("", (), [], {}) or isinstance(value, msgspec.Struct):
        return ""
    if isinstance(value, tuple) and all(isinstance(item, msgspec.Struct) for item in value):
        return "`" + ", ".join(" ".join(str(part) for part in msgspec.structs.astuple(item)) for item in value) + "`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def structs_under(kind: type[Any], path: str = "") -> Iterator[tuple[str, type[Any]]]:
    """Where in the file a struct stands, and the struct: `kind` and every one that its fields name, in file order."""
    yield path, kind
    hints = typing.get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        base, _ = without_marks(hints[field.name])
        many = get_origin(base) in (tuple, list)
        base = without_marks(get_args(base)[0])[0] if many else base
        if isinstance(base, type) and issubclass(base, msgspec.Struct):
            yield from structs_under(base, f"{path}.{field.encode_name}".lstrip(".") + ("[]" if many else ""))


def sections(kind: type[Any]) -> dict[type[Any], list[str]]:
    """Every struct of a file with all the places where it stands."""
    found: dict[type[Any], list[str]] = {}
    for path, struct in structs_under(kind):
        found.setdefault(struct, []).append(path)
    return found


def tables(kind: type[Any], top: str) -> Iterator[str]:
    """One section a struct of the file that `kind` describes."""
    for struct, paths in sections(kind).items():
        hints, texts = typing.get_type_hints(struct, include_extras=True), field_texts(struct)
        title = " and ".join(f"`{path}`" for path in paths if path) or top
        about = textwrap.fill(" ".join((inspect.getdoc(struct) or "").split()), TEXT_WIDTH)
        rows = [
            f"| `{field.encode_name}` | {type_text(hints[field.name])} | {default_text(field)} | {texts[field.name]} |"
            for field in msgspec.structs.fields(struct)
        ]
        head = "| Key | Value | Default | Meaning |\n|---|---|---|---|\n"
        yield f"## {title}\n\n{about}\n\n{head}" + "\n".join(rows) + "\n"


def config_page() -> str:
    return "\n".join([CONFIG_HEAD, *tables(Config, "Top level")])


def directory_page() -> str:
    return "\n".join([DIRECTORY_HEAD, *tables(Directory, "Top level")])


def commands_under(command: click.Command, path: str) -> Iterator[tuple[str, click.Command, click.Context]]:
    """Every command with its full name, groups before what they hold."""
    context = click.Context(
        command,
        info_name=path,
        terminal_width=HELP_WIDTH,
        max_content_width=HELP_WIDTH,
        help_option_names=HELP_OPTIONS,  # as the root passes them on; click keeps the first it sees with the command
    )
    yield path, command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands_under(found, f"{path} {name}")


def cli_page() -> str:
    from fastgate.cli.root import root

    parts = [CLI_HEAD]
    for path, command, context in commands_under(root, "fastgate"):
        parts.append(f"## {path}\n\n```\n{command.get_help(context).rstrip()}\n```\n")
    return "\n".join(parts)


def failures_page() -> str:
    sys.path.insert(0, str(ROOT))  # the table is the tests'; as a script this file sees only its own folder
    try:
        from tests.support import failures as table
    finally:
        sys.path.remove(str(ROOT))

    def form(outcome: table.Outcome | None) -> tuple[str, str, str]:
        if outcome is None:
            return "", "", ""
        return f"`{outcome.kind}`" if outcome.kind else "", table.CLIENT[outcome.client], table.CHARGE[outcome.charge]

    parts = [FAILURES_HEAD]
    for title, rows in table.SECTIONS.items():
        lines = [
            "| The upstream | Form | Kind | Tried again by | The client sees | Charged |",
            "|---|---|---|---|---|---|",
        ]
        for row in rows:
            if row.stream == row.whole:
                forms = [("both", row.stream)]
            else:
                forms = [("stream", row.stream), ("whole", row.whole)]
            for name, outcome in forms:
                if outcome is not None:
                    kind, client, charge = form(outcome)
                    lines.append(f"| {row.what} | {name} | {kind} | {table.RETRY[row.retry]} | {client} | {charge} |")
        parts.append(f"## {title}\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


PAGES = {"config.md": config_page, "directory.md": directory_page, "cli.md": cli_page, "failures.md": failures_page}


def stale() -> list[str]:
    """The pages that differ from what the code says now."""

    def current(name: str) -> str:
        path = REFERENCE / name
        return path.read_text(encoding="utf-8") if path.exists() else ""

    return [name for name, page in PAGES.items() if current(name) != page()]


def main() -> int:
    if "--check" in sys.argv[1:]:
        out_of_date = stale()
        for name in out_of_date:
            sys.stderr.write(f"docs/reference/{name} is out of date: run python docs/generate.py\n")
        return 1 if out_of_date else 0
    for name, page in PAGES.items():
        (REFERENCE / name).write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
