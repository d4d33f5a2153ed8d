"""`fastgate prices`: what a model costs here, from the list and the configuration's overrides. Asks no gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from fastgate.cli import output
from fastgate.cli.failures import BadInput, Refused
from fastgate.cli.instance import NOTHING_FOUND, known_config, lenient_environ, required_config
from fastgate.cli.options import as_json, group
from fastgate.cli.output import Column

if TYPE_CHECKING:
    from fastgate.prices.book import PriceData

KIND_DEFAULT = "anthropic"

COLUMNS = [
    Column("model", "model"),
    Column("kind", "kind"),
    Column("input", lambda row: row["tokens"]["input"], "right"),
    Column("output", lambda row: row["tokens"]["output"], "right"),
    Column("write 5m", lambda row: row["tokens"]["cache_write_5m"], "right"),
    Column("write 1h", lambda row: row["tokens"]["cache_write_1h"], "right"),
    Column("read", lambda row: row["tokens"]["cache_read"], "right"),
    Column(
        "above", lambda row: f"{row['tier_at']}: {row['long_prompt']['input']}" if row["tier_at"] else "", "right", 1
    ),
    Column("fast x", lambda row: "" if row["fast"] == "1" else row["fast"], "right", 2),
    Column("US x", lambda row: "" if row["us_geo"] == "1" else row["us_geo"], "right", 2),
    Column("source", "source", rank=3),
]


@group("prices")
def prices() -> None:
    """Show the price of each model, and find prices that look mistyped."""


@prices.command("show")
@click.argument("model", required=False)
@click.option("--kind", default="", help=f"Kind of endpoint; `all` shows every kind.  [default: {KIND_DEFAULT}]")
def show(model: str | None, kind: str) -> None:
    """Show the price table, or the one row that prices MODEL.

    Token prices are US dollars per million tokens. The configuration's overrides come first, then the list, then the
    price of models that are in neither.
    """
    data = price_data()
    if model is not None:
        one_row(data, kind or KIND_DEFAULT, model)
        return
    rows, wanted = rows_of(data), kind or KIND_DEFAULT
    if wanted not in {"all", *(row["kind"] for row in rows)}:
        raise Refused(f"there are no prices for endpoints of kind {kind!r}.", fix="--kind all shows every kind")
    output.listing([row for row in rows if wanted == "all" or row["kind"] in (wanted, "*")], COLUMNS)


def one_row(data: PriceData, kind: str, model: str) -> None:
    """The row that a call would be charged by, found the way the data plane finds it."""
    from fastgate.prices.book import PriceBook

    quote = PriceBook(data).lookup(kind, model)
    ints = quote.row.ints()
    matching = [row for row, price in zip(rows_of(data), ordered(data), strict=True) if price.ints == ints]
    row = next((row for row in matching if row["kind"] == kind and model in (row["model"], *row["also"])), matching[0])
    output.record({"asked": model, "known": quote.known, **row})
    if not quote.known:
        output.say(f"\nThe price table does not know {model}: it is charged at the configured worst price, never free.")


def ordered(data: PriceData) -> list[Any]:
    """The rows in the order in which `checks.lines` gives them."""
    return [*data.overrides, *data.prices, data.worst]


def rows_of(data: PriceData) -> list[dict[str, Any]]:
    """The table as JSON shows it."""
    import msgspec

    from fastgate.prices.checks import lines

    found: list[dict[str, Any]] = msgspec.to_builtins(lines(data))
    return found


@prices.command("check")
def check() -> None:
    """Find prices out of all proportion, such as an override that is a thousand times too low. Exit code 1 if any."""
    from fastgate.prices.checks import findings

    found = findings(price_data(required=True))
    if as_json():
        items = [{"where": finding.where, "message": finding.message} for finding in found]
        output.print_json({"ok": not found, "items": items, "next": None})
    else:
        for finding in found:
            click.echo(f"{click.style('odd', fg='yellow')}  {finding.where}: {finding.message}")
        click.echo("prices look right." if not found else f"{len(found)} price{'s' * (len(found) != 1)} to look at.")
    if found:
        click.get_current_context().exit(1)


def price_data(required: bool = False) -> PriceData:
    """The prices in force under the configuration; the bare list where there is none, unless one is required."""
    from fastgate.config import load_config
    from fastgate.prices.catalog import compile_prices
    from fastgate.prices.settings import PriceSettings
    from fastgate.tree import ConfigErrors

    path = required_config() if required else known_config()
    settings = PriceSettings()
    try:
        if path is not None:
            settings = load_config(path, lenient_environ(path))[0].prices
        elif not as_json():
            click.echo(f"list prices: {NOTHING_FOUND}\n", err=True)
        return compile_prices(settings)
    except (ConfigErrors, ValueError) as error:
        raise BadInput(str(error), fix="`fastgate check` lists every mistake") from error
