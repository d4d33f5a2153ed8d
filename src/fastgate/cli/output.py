"""What a command prints when it succeeds: tables for people, JSON for scripts; the same facts in both.

Knows nothing of what the facts mean. rich is imported only when a table is drawn.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import click

from fastgate.cli.options import as_json

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

Row = Mapping[str, Any]

PIPE_WIDTH = 400
"""Columns of a table that does not go to a terminal: wide enough that no cell is cut, so that grep and awk work."""


GAP = 2
"""Columns of space between two of a table."""
PROSE_WIDTH = 22
"""What words over several lines are given at least, so that they still read as words."""

MINUTES, SECONDS = len("2026-01-01 00:00"), len("2026-01-01 00:00:00")


@dataclass(frozen=True)
class Column:
    """One column: a header and where its value is found. `justify` right is for numbers."""

    header: str
    value: str | Callable[[Row], Any]
    justify: Literal["left", "right"] = "left"
    rank: int = 0
    """Where a terminal is too narrow, columns of the highest rank are left out first; 0 stays."""
    prose: bool = False
    """Words that may stand on several lines. Other cells are broken only where nothing else helps: an id is copied."""

    def cell(self, row: Row) -> str:
        found = self.value(row) if callable(self.value) else row.get(self.value)
        return cell(found)


def cell(value: Any) -> str:
    """A value as a table shows it."""
    if value is None or value == "" or value == [] or value == {}:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return " ".join(f"{name}={cell(inner)}" for name, inner in value.items())
    if isinstance(value, (list, tuple)):
        return " ".join(cell(inner) for inner in value)
    return printable(str(value))


def printable(text: str) -> str:
    """`text` without what a terminal would obey: model names, tags and sessions come from clients."""
    return text if text.isprintable() else "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def console() -> Console:
    """A console on standard output; NO_COLOR and pipes are respected."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False, markup=False, emoji=False)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def listing(items: Sequence[Row], columns: Sequence[Column], following: str | None = None, empty: str = "") -> None:
    """A page of rows. `following` is the cursor of the next page; `empty` is said where a table would have no rows."""
    if as_json():
        print_json({"items": list(items), "next": following})
        return
    if not items:
        click.echo(empty or "none")
        return
    console().print(table(items, columns))
    if following:
        click.echo(f"more: --cursor {following}")


def table(items: Sequence[Row], columns: Sequence[Column], width: int | None = None) -> Table:
    """Rows as a table without lines, of the columns that fit into `width` (the terminal's)."""
    from rich.table import Table

    room = width or console().width
    kept = fitting(items, columns, room)
    whole = needed(items, kept) <= room
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for column in kept:
        fixed = whole and not column.prose
        drawn.add_column(column.header, justify=column.justify, overflow="fold", no_wrap=fixed)
    for row in items:
        drawn.add_row(*(column.cell(row) for column in kept))
    if len(kept) < len(columns):
        left = ", ".join(column.header for column in columns if column not in kept)
        drawn.caption, drawn.caption_justify = f"not shown here for want of room: {left}", "left"
    return drawn


def fitting(items: Sequence[Row], columns: Sequence[Column], width: int) -> list[Column]:
    """The columns that are shown in `width`: without those of the highest ranks, as far as that is needed."""
    kept = list(columns)
    while needed(items, kept) > width and any(column.rank for column in kept):
        kept.remove(max(reversed(kept), key=lambda column: column.rank))
    return kept


def needed(items: Sequence[Row], columns: Sequence[Column]) -> int:
    """The width in which no cell is broken but prose."""
    from rich.cells import cell_len

    total = GAP * (len(columns) - 1)
    for column in columns:
        widest = max((cell_len(column.cell(row)) for row in items), default=0)
        total += max(cell_len(column.header), min(widest, PROSE_WIDTH) if column.prose else widest)
    return total


def moment(name: str, chars: int = MINUTES, year: bool = True) -> Callable[[Row], str]:
    """A column's moment (RFC 3339, UTC) as people write it, to the minute or the second."""
    begin = 0 if year else len("2026-")
    return lambda row: (row[name] or "")[begin:chars].replace("T", " ")


def record(item: Row, order: Sequence[str] = ()) -> None:
    """One object, a line a field; nested objects one level deep."""
    if as_json():
        print_json(item)
        return
    names = [name for name in order if name in item] + [name for name in item if name not in order]
    width = max((len(name) for name in names), default=0)
    for name in names:
        value = item[name]
        if isinstance(value, list) and value and isinstance(value[0], Mapping):
            click.echo(f"{click.style(name, bold=True)}")
            for inner in value:
                click.echo("  " + cell(inner))
            continue
        click.echo(f"{click.style(name.ljust(width), bold=True)}  {cell(value)}")


def say(text: str = "") -> None:
    """A remark for people; not printed under `--json`."""
    if not as_json():
        click.echo(text)
