"""`fastgate pause`, `resume`, `pauses`: stop by hand what an org, team, user, key or tag spends, and free it again."""

from __future__ import annotations

from typing import Any

import click

from fastgate.cli import output
from fastgate.cli.control import open_control
from fastgate.cli.moments import Moment
from fastgate.cli.options import as_json, command
from fastgate.cli.output import Column

LEVELS = click.Choice(["org", "team", "user", "key", "tag"])

COLUMNS = [
    Column("level", "level"),
    Column("id", "of"),
    Column("org", "org", rank=2),
    Column("reason", "reason", prose=True),
    Column("by", "by"),
    Column("since", output.moment("since"), rank=1),
    Column("until", output.moment("until")),
]


@command("pause")
@click.argument("level", type=LEVELS)
@click.argument("of", metavar="ID")
@click.option("--reason", required=True, help="Why; whoever is refused reads it.")
@click.option("--until", type=Moment(ahead=True), help="When it ends by itself: 2h, 2027-01-01 or RFC 3339.")
@click.option("--org", default="", help="The org of a tag, where there are several.")
def pause(level: str, of: str, reason: str, until: str | None, org: str) -> None:
    """Refuse every new call of an org, team, user, key or tag, within a second, until it is resumed.

    A tag is NAME=VALUE; session=ID stops one Claude Code session. Calls that have begun finish. Who is refused reads
    who paused it and why, and Claude Code does not try again.
    """
    with open_control("fastgate pause", writes=True) as control:
        paused = control.budgets.pause({"level": level, "of": of, "reason": reason, "until": until, "org": org})
    told(paused, f"{level} {of} is paused {'until ' + paused['until'] if paused['until'] else 'until it is resumed'}.")


@command("resume")
@click.argument("level", type=LEVELS)
@click.argument("of", metavar="ID")
@click.option("--org", default="", help="The org of a tag, where there are several.")
def resume(level: str, of: str, org: str) -> None:
    """Take calls of what was paused by hand again, within a second. What a budget paused, only its budget frees."""
    with open_control("fastgate resume", writes=True) as control:
        resumed = control.budgets.resume(level, of, org)
    told(resumed, f"{level} {of} is resumed.")


@command("pauses")
def pauses() -> None:
    """List what is paused by hand, by whom, why and until when."""
    with open_control("fastgate pauses") as control:
        page = control.budgets.pauses()
    output.listing(page["items"], COLUMNS, page["next"], empty="nothing is paused")


def told(answer: dict[str, Any], sentence: str) -> None:
    if as_json():
        output.print_json(answer)
    else:
        click.echo(sentence)
