"""`fastgate audit`: what auditors ask. Who changed what; whether a model was shown a file, when, and by whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from fastgate.cli import output
from fastgate.cli.control import open_control
from fastgate.cli.failures import BadInput
from fastgate.cli.options import group
from fastgate.cli.output import Column

PAGE = 25

COLUMNS = [
    Column("at", output.moment("at", output.SECONDS)),
    Column("call", "call"),
    Column("user", lambda row: row["user"] or row["key"]),
    Column("session", "session", rank=2),
    Column("in", "kind"),
    Column("path", "path", prose=True),
    Column("outcome", "outcome", rank=1),
    Column("endpoint", "endpoint", rank=1),
]


def changed(row: Mapping[str, Any]) -> list[str]:
    """The fields of a change that say something: `name=after`, or `name=before→after`."""
    before, after = row["before"] or {}, row["after"] or {}
    told = []
    for name in dict.fromkeys((*before, *after)):
        was, now = (output.cell(side.get(name)) for side in (before, after))
        if was != now:
            told.append(f"{name}={now}" if was == "-" else f"{name}={was}→{now}")
    return told


CHANGES = [
    Column("seq", "seq", "right", rank=1),
    Column("at", output.moment("at")),
    Column("who", "actor"),
    Column("did", "action"),
    Column("to", "kind"),
    Column("id", "id"),
    Column("change", changed, prose=True),
]


@group("audit")
def audit() -> None:
    """List who changed what, and find out what models were shown."""


@audit.command("list")
@click.option("--cursor", default=0, type=click.IntRange(min=0), help="Where the previous page ended.")
@click.option("--limit", default=PAGE, show_default=True, type=click.IntRange(1, 1000), help="Changes on one page.")
def list_(cursor: int, limit: int) -> None:
    """List changes of keys, budgets, pauses and the directory, the oldest first: who, what, before and after."""
    with open_control("fastgate audit list") as control:
        page = control.audit_list(str(cursor), limit)
    output.listing(page["items"], CHANGES, page["next"], empty="nothing was changed yet")


@audit.command("find")
@click.option("--sha256", default="", metavar="HEX", help="Of the file's content, as sha256sum prints it.")
@click.option("--path", default="", help="Of the file, as a tool was told it; or its end, from a `/` on.")
@click.option("--cursor", default="", help="Where the previous page ended.")
@click.option("--limit", default=PAGE, show_default=True, type=click.IntRange(1, 1000), help="Calls on one page.")
def find(sha256: str, path: str, cursor: str, limit: int) -> None:
    """Find the calls in which a file's text was new, the newest first.

    By its digest a file is found that was shown whole: read, printed by a command, pasted or attached as text. By its
    path one that a tool read, also in part. Recorded where guards are on, once for each user and worker; a call that
    reached no endpoint was refused, and a later one of the same conversation may have carried the text.
    """
    if bool(sha256) == bool(path):
        raise BadInput("say exactly one of --sha256 and --path.")
    with open_control("fastgate audit find") as control:
        page = control.audit_find(sha256, path, cursor, limit)
    output.listing(page["items"], COLUMNS, page["next"], empty="no call that showed it")
