"""`fastgate calls`: finished calls as they were recorded, newest first, each with its exact price."""

from __future__ import annotations

from typing import Any

import click

from fastgate.cli import output
from fastgate.cli.control import open_control
from fastgate.cli.filters import call_filters, chosen
from fastgate.cli.options import group
from fastgate.cli.output import Column

PAGE = 25

COLUMNS = [
    Column("at", output.moment("at", output.SECONDS, year=False)),
    Column("id", "id"),
    Column("user", lambda row: row["user"] or row["key"]),
    Column("model", "model_used"),
    Column("endpoint", "endpoint", rank=2),
    Column("status", "status", "right", rank=5),
    Column("outcome", "outcome", rank=1),
    Column("in", lambda row: row["usage"]["input_tokens"], "right", rank=3),
    Column(
        "write", lambda row: sum(row["usage"][f"cache_write_{ttl}_tokens"] for ttl in ("5m", "1h")), "right", rank=3
    ),
    Column("read", lambda row: row["usage"]["cache_read_tokens"], "right", rank=4),
    Column("out", lambda row: row["usage"]["output_tokens"], "right", rank=3),
    Column("cost $", "cost", "right"),
]

FIRST = ("id", "at", "outcome", "status", "cost", "model_asked", "model_used", "endpoint", "org", "team", "user", "key")


@group("calls")
def calls() -> None:
    """List and show finished calls."""


@calls.command("list")
@call_filters
@click.option("--cursor", default="", help="Where the previous page ended.")
@click.option("--limit", default=PAGE, show_default=True, type=click.IntRange(1, 1000), help="Calls on one page.")
def list_(cursor: str, limit: int, **filters: Any) -> None:
    """List finished calls, the newest first. A call is here within a second of its end."""
    with open_control("fastgate calls list") as control:
        page = control.calls_list(chosen(filters), cursor, limit)
    output.listing(page["items"], COLUMNS, page["next"], empty="no calls")


@calls.command("show")
@click.argument("call_id", metavar="CALL-ID")
def show(call_id: str) -> None:
    """Show one call: who, which models, every attempt at an endpoint, token classes, price."""
    with open_control("fastgate calls show") as control:
        output.record(control.calls_show(call_id), order=FIRST)
