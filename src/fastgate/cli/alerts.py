"""`fastgate alerts`: what was raised and whether it has arrived, and whether channels work."""

from __future__ import annotations

from typing import Any

import click

from fastgate.cli import output
from fastgate.cli.control import open_control
from fastgate.cli.options import as_json, group
from fastgate.cli.output import Column

PAGE = 25
EXIT_REFUSED = 1


def told(delivery: dict[str, Any]) -> str:
    """One delivery in a word or two."""
    receiver = delivery["channel"] + (f"→{delivery['to']}" if delivery["to"] else "")
    return f"{receiver}:{delivery['state']}"


COLUMNS = [
    Column("id", "id", "right"),
    Column("at", output.moment("at", output.SECONDS)),
    Column("severity", "severity", rank=1),
    Column("alert", "title", prose=True),
    Column("receivers", lambda row: [told(one) for one in row["deliveries"]] or "nobody", prose=True),
    Column("last error", lambda row: next((one["error"] for one in row["deliveries"] if one["error"]), ""), prose=True),
]
CHANNEL_COLUMNS = [
    Column("channel", "name"),
    Column("kind", "kind"),
    Column("own place", "place"),
    Column("single users", "people"),
]
TRIED_COLUMNS = [
    Column("channel", "channel"),
    Column("to", "to"),
    Column("sent", "ok"),
    Column("why not", "error", prose=True),
]


@group("alerts")
def alerts() -> None:
    """List alerts and their deliveries, test channels, try again what was given up."""


@alerts.command("list")
@click.option("--cursor", default=0, type=click.IntRange(0), help="Where the previous page ended.")
@click.option("--limit", default=PAGE, show_default=True, type=click.IntRange(1, 1000), help="Alerts on one page.")
def list_(cursor: int, limit: int) -> None:
    """List the alerts that were raised, the newest first, and how far each is with whom."""
    with open_control("fastgate alerts list") as control:
        page = control.alerts.list(cursor, limit)
    output.listing(page["items"], COLUMNS, page["next"], empty="no alerts")


@alerts.command("channels")
def channels() -> None:
    """List the configured channels."""
    with open_control("fastgate alerts channels") as control:
        page = control.alerts.channels()
    output.listing(page["items"], CHANNEL_COLUMNS, empty="no channels: `alerts:` in fastgate.yaml lists them")


@alerts.command("test")
@click.argument("channel", required=False, default="")
@click.option("--to", default="", metavar="EMAIL", help="Reach this person: through email, or slack with a token.")
def test(channel: str, to: str) -> None:
    """Send a test message through CHANNEL, or through all that have a place of their own. Exit code 1 if one fails."""
    with open_control("fastgate alerts test", writes=True) as control:
        page = control.alerts.test({"channel": channel, "to": to})
    output.listing(page["items"], TRIED_COLUMNS)
    if not all(tried["ok"] for tried in page["items"]):
        click.get_current_context().exit(EXIT_REFUSED)


@alerts.command("retry")
@click.argument("ids", nargs=-1, type=click.IntRange(1), metavar="[DELIVERY]...")
def retry(ids: tuple[int, ...]) -> None:
    """Try deliveries again that were given up: those named, as `alerts list --json` numbers them, or all."""
    with open_control("fastgate alerts retry", writes=True) as control:
        answer = control.alerts.retry({"ids": list(ids) or None})
    if as_json():
        output.print_json(answer)
    else:
        click.echo(f"{answer['retried']} deliveries are tried again")
