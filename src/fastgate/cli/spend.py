"""`fastgate spend`: what finished calls cost, added up by whatever a report needs. Sums are exact.

Tables and JSON for looking, CSV for spreadsheets, FOCUS for FinOps tools; with --forecast what a period will cost.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from fastgate.cells import harmless
from fastgate.cli import output
from fastgate.cli.control import open_control
from fastgate.cli.failures import BadInput
from fastgate.cli.filters import call_filters, chosen
from fastgate.cli.options import as_json, command
from fastgate.cli.output import Column

DEFAULT_BY = ("cost_center", "team")

CAUSES = ("cache", "downgrade", "arbitration")

CACHE = ("cache_hits", "cache_asked", "hit_ratio")

PERIODS = ("day", "week", "month", "quarter", "year")


@command("spend")
@click.option(
    "--by",
    multiple=True,
    metavar="FIELD",
    help="Group by this; may be repeated, or joined with commas.  [default: cost_center,team]",
)
@click.option("--forecast", type=click.Choice(PERIODS), help="The running period, and what it will cost at its end.")
@click.option("--saved", is_flag=True, help="What calls would have cost as asked, and what was saved by cause.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option("--focus", is_flag=True, help="Print a FOCUS 1.2 export (FinOps cost and usage) as CSV, a row a day.")
@call_filters
def spend(by: tuple[str, ...], forecast: str | None, saved: bool, as_csv: bool, focus: bool, **filters: Any) -> None:
    """Sum the cost of finished calls, the dearest group first.

    FIELD is org, team, user, key, cost_center, model, endpoint, session, agent, day, month … or tag:NAME.
    """
    if focus and (by or forecast or saved or as_csv):
        raise BadInput(
            "--focus has columns and rows of its own; it takes filters, but no --by, --forecast, --saved or --csv."
        )
    if saved and forecast:
        raise BadInput("--saved looks back and --forecast ahead; ask for one of them.")
    if as_csv and as_json():
        raise BadInput("--csv and --json are two forms of the same answer; give one of them.")
    fields = [field for part in by or DEFAULT_BY for field in _fields(part)]
    with open_control("fastgate spend") as control:
        if focus:
            _print_focus(control.focus(chosen(filters)))
            return
        page = control.spend(fields, chosen(filters), forecast or "")
    if as_csv:
        _print_csv(fields, page["items"], saved)
    elif as_json():
        output.print_json({"items": page["items"], "next": page["next"], "total": page["total"]})
    else:
        _print_table(fields, page, saved)


def _fields(part: str) -> list[str]:
    """`team,cost-center` as field names; a tag's name is taken as it is."""
    return [
        field if field.startswith("tag:") else field.replace("-", "_") for field in part.split(",") if field.strip()
    ]


def _print_table(fields: Sequence[str], page: Mapping[str, Any], saved: bool) -> None:
    columns = [Column(field.replace("_", " "), field) for field in fields]
    columns += [Column("calls", "calls", "right"), Column("cost $", "cost", "right")]
    if any(row["cache_asked"] for row in page["items"]):
        columns.insert(-1, Column("cache hits", share, "right"))
    total = page["total"]
    forecast = total.get("forecast")
    if saved:
        columns.insert(-1, Column("as asked $", "cost_asked", "right"))
        columns += [
            Column(f"{cause} $", lambda row, cause=cause: row["saved_by"][cause], "right", 1)  # type: ignore[misc]
            for cause in CAUSES
        ]
        columns.append(Column("saved $", "saved", "right"))
    if forecast:
        columns += [
            Column(f"{name} $", lambda row, name=name: row["forecast"][name], "right")  # type: ignore[misc]
            for name in ("expected", "low", "high")
        ]
    output.listing(page["items"], columns, page["next"], empty="no calls")
    if page["items"]:
        click.echo(f"total $ {total['cost']}")
    if saved and page["items"]:
        causes = ", ".join(f"{cause} {total['saved_by'][cause]}" for cause in CAUSES)
        click.echo(f"saved $ {total['saved']} of {total['cost_asked']} as asked: {causes}")
    if forecast:
        click.echo(f"expected by {forecast['to']}: $ {forecast['expected']}  ({forecast['low']} to {forecast['high']})")
        click.echo(f"method: {forecast['method']}")


def share(row: Mapping[str, Any]) -> str:
    """Of the calls that the cache was asked about, those that it answered."""
    return f"{100 * row['cache_hits'] / row['cache_asked']:.1f}%" if row["cache_asked"] else ""


def _print_csv(fields: Sequence[str], items: Sequence[Mapping[str, Any]], saved: bool) -> None:
    """RFC 4180, one column a field; figures as they are, text so that no spreadsheet runs it."""
    if not items:
        tokens: list[str] = []
        forecast: list[str] = []
    else:
        tokens = list(items[0]["usage"])
        forecast = [name for name in ("expected", "low", "high") if "forecast" in items[0]]
    writer = csv.writer(sys.stdout, lineterminator="\r\n")
    causes = CAUSES if saved else ()
    named = [f"saved_{cause}" for cause in causes]
    writer.writerow([*fields, "calls", "cost", "cost_asked", "saved", *named, *CACHE, *tokens, *forecast])
    for item in items:
        writer.writerow(
            [
                *(harmless(item[field]) for field in fields),
                *(item[name] for name in ("calls", "cost", "cost_asked", "saved")),
                *(item["saved_by"][cause] for cause in causes),
                *(item[name] for name in CACHE),
                *(item["usage"][name] for name in tokens),
                *(item["forecast"][name] for name in forecast),
            ]
        )


def _print_focus(pieces: Iterator[bytes]) -> None:
    if not as_json():
        for piece in pieces:
            click.echo(piece, nl=False)
        return
    text = b"".join(pieces).decode()
    output.print_json({"items": list(csv.DictReader(io.StringIO(text, newline=""))), "next": None})
