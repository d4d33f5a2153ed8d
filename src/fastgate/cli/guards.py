"""`fastgate guards`: which guards there are, what they find in a file, and what they did to a call."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from fastgate.cli import output
from fastgate.cli.control import open_control
from fastgate.cli.failures import BadInput, Refused
from fastgate.cli.options import group
from fastgate.cli.output import Column

FILE_BYTES_MAX = 64 * 1024 * 1024
"""Largest file that is tested: twice what the gateway takes as one request."""

RULES = [
    Column("guard", "guard"),
    Column("rule", "rule"),
    Column("severity", "severity"),
    Column("finds", "title", prose=True),
    Column("in", "kinds", prose=True),
]

IN_FORCE = [
    Column("guard", "use"),
    Column("by", "by"),
    Column("action", lambda row: [row["action"], *(f"{name}:{act}" for name, act in row["severity"].items())]),
    Column("shadow", "shadow"),
    Column("fail", "fail", rank=2),
    Column("rules", lambda row: row["rules"] or "all", rank=1, prose=True),
    Column("on", lambda row: row["on"] or "all", rank=3, prose=True),
    Column("for", lambda row: named(row["scope"]) or "everybody", prose=True),
    Column("exceptions", lambda row: [told(exception) for exception in row["exceptions"]], prose=True),
]

FOUND = [
    Column("line", "line", "right"),
    Column("guard", "guard"),
    Column("rule", "rule"),
    Column("severity", "severity"),
    Column("bytes", lambda row: f"{row['start']}-{row['end']}", rank=1),
    Column("match", "match"),
]

VERDICTS = [
    Column("action", "action"),
    Column("rule", "rule"),
    Column("kind", "kind"),
    Column("place", "path"),
    Column("match", "match"),
    Column("note", "note", prose=True),
]


@group("guards")
def guards() -> None:
    """Show guards, what they find in a file, what they did to a call."""


@guards.command("list")
@click.option("--use", "family", default="", help="Only the rules of this guard.")
def list_(family: str) -> None:
    """List every rule of every guard, with its severity and the kinds of content blocks it looks at."""
    from fastgate.guards.rule import KINDS, load_scanners

    rows = [
        {
            "guard": scanner.name,
            "rule": rule.id,
            "title": rule.title,
            "severity": rule.severity,
            "kinds": [kind for kind in KINDS if kind in rule.kinds],
        }
        for scanner in load_scanners().values()
        if family in ("", scanner.name)
        for rule in scanner.rules
    ]
    if not rows:
        raise Refused(f"no guard is called {family}", "`fastgate guards list` without --use names them")
    output.listing(rows, RULES, None, empty="no rules")


@guards.command("show")
def show() -> None:
    """Show the guards in force, in their order: what each does, for whom, and who answers for its exceptions."""
    with open_control("fastgate guards show") as control:
        page = control.guards_show()
    output.listing(page["items"], IN_FORCE, page["next"], empty="guards are off: the configuration says `guards: []`")


def named(scope: Mapping[str, Any] | None) -> dict[str, Any]:
    """The lists of a scope that say something."""
    return {name: value for name, value in (scope or {}).items() if value}


def told(exception: Mapping[str, Any]) -> str:
    """`rule by owner until its end`."""
    until = exception["until"]
    end = "" if until is None else f" {'over since' if exception['over'] else 'until'} {until[:10]}"
    return f"{exception['rule']} by {exception['owner']}{end}"


@guards.command("test")
@click.argument("file", metavar="FILE|-")
@click.option("--kind", default="tool_result", show_default=True, help="The kind of content block the file stands for.")
@click.option("--use", "families", multiple=True, help="Only this guard; may be given again. Without it: all.")
def test(file: str, kind: str, families: tuple[str, ...]) -> None:
    """Show what the guards find in a file (`-` reads standard input). Nothing is sent anywhere; of a match only a hash
    is printed, under a key of this run alone. Exit code 1 when something was found."""
    from fastgate.guards.rule import KINDS, load_scanners

    if kind not in KINDS:
        raise click.BadParameter(f"there is no kind {kind}; there are {', '.join(KINDS)}", param_hint="--kind")
    shipped = load_scanners()
    unknown = [name for name in families if name not in shipped]
    if unknown:
        raise Refused(f"no guard is called {unknown[0]}", f"there are: {', '.join(sorted(shipped))}")
    rows = findings(read_text(file), kind, families or tuple(shipped))
    output.listing(rows, FOUND, None, empty="nothing found")
    if rows:
        raise SystemExit(1)


def read_text(file: str) -> bytes:
    try:
        with sys.stdin.buffer if file == "-" else Path(file).open("rb") as source:
            text = source.read(FILE_BYTES_MAX + 1)
    except OSError as exc:
        raise BadInput(f"{file} cannot be read: {exc.strerror}") from None
    if len(text) > FILE_BYTES_MAX:
        raise BadInput(f"{file} has more than {FILE_BYTES_MAX} bytes")
    return text


def findings(text: bytes, kind: Any, families: tuple[str, ...]) -> list[dict[str, Any]]:
    """What each guard finds, in the order of the file."""
    from fastgate.guards.closer import UNSCANNED
    from fastgate.guards.engine import Engine
    from fastgate.guards.placeholders import HASH_CHARS, Placeholders
    from fastgate.guards.rule import load_scanners

    owned = [(name, rule) for name, scanner in load_scanners().items() if name in families for rule in scanner.rules]
    names = Placeholders(os.urandom(32))
    rows = []
    engine = Engine((rule for _, rule in owned), kinds=frozenset({kind}))
    for index, start, end in engine.examine(kind, "user", text):
        if index == UNSCANNED:
            raise Refused(f"too much was found: nothing from byte {start} on was looked at")
        guard, rule = owned[index]
        rows.append(
            {
                "guard": guard,
                "rule": rule.id,
                "severity": rule.severity,
                "line": text.count(b"\n", 0, start) + 1,
                "start": start,
                "end": end,
                "match": names.tail("", text[start:end])[:HASH_CHARS],
            }
        )
    return rows


@guards.command("explain")
@click.argument("call_id", metavar="CALL-ID")
def explain(call_id: str) -> None:
    """Show what guards found in a call, and what became of it."""
    with open_control("fastgate guards explain") as control:
        call = control.calls_show(call_id)
    empty = "nothing was found" if call["guard"] == "pass" else f"no verdict was recorded; guard: {call['guard']}"
    output.listing(call["verdicts"], VERDICTS, None, empty=empty)
