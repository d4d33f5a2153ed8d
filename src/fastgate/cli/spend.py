"""`fastgate spend`: what finished calls cost, added up by whatever a report needs. Sums are exact."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import click

from fastgate.cli import output
from fastgate.cli.control import open_control
from fastgate.cli.filters import call_filters, chosen
from fastgate.cli.options import as_json, command
from fastgate.cli.output import Column

DEFAULT_BY = ("cost_center", "team")


@command("spend")
@click.option(
    "--by",
    multiple=True,
    metavar="FIELD",
    help="Group by this; may be repeated, or joined with commas.  [default: cost_center,team]",
)
@call_filters
def spend(by: tuple[str, ...], **filters: Any) -> None:
    """Sum the cost of finished calls, the dearest group first.

    FIELD is org, team, user, key, cost_center, model, endpoint, session, day, month … or tag:NAME.
    """
    fields = [field for part in by or DEFAULT_BY for field in part.replace("-", "_").split(",") if field]
    with open_control("fastgate spend") as control:
        page = control.spend(fields, chosen(filters))
    columns = [Column(field.replace("_", " "), field) for field in fields]
    columns += [Column("calls", "calls", "right"), Column("cost $", "cost", "right")]
    output.listing(page["items"], columns, page["next"], empty="no calls")
    if not as_json() and page["items"]:
        total = sum((Decimal(row["cost"]) for row in page["items"]), Decimal(0))
        click.echo(f"total $ {total}")
