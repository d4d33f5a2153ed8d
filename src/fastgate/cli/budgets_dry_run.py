"""`fastgate budgets dry-run`: what proposed budgets would have done to the calls on record. Changes nothing."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from fastgate.cells import harmless
from fastgate.cli import output
from fastgate.cli.control import open_control
from fastgate.cli.failures import BadInput
from fastgate.cli.moments import Moment
from fastgate.cli.options import Command, as_json
from fastgate.cli.output import Column

SHOWN = 20
"""Rows of each table on a terminal; the other forms have all."""

CSV_COLUMNS = (
    "budget", "level", "of", "seat", "period_start", "refused_calls", "refused", "first_refused", "downgraded_calls",
    "downgrade_saved",
)  # fmt: skip

OUTCOMES = [
    Column("budget", "budget"),
    Column("of", lambda row: f"{row['level']} {row['of']}" + (f" {row['seat']}" if row["seat"] else "")),
    Column("period", lambda row: row["period_start"][:10]),
    Column(
        "reached",
        lambda row: ", ".join(f"{stage['do']} {minute(stage['when'])}" for stage in row["stages"]),
        prose=True,
    ),
    Column("refused", "refused_calls", "right"),
    Column("first refused", output.moment("first_refused"), rank=1),
    Column("downgraded", "downgraded_calls", "right", rank=2),
]


@click.command("dry-run", cls=Command)
@click.option(
    "-f",
    "--file",
    "path",
    required=True,
    type=click.Path(path_type=Path),
    help="Proposed budgets: `budgets:` as directory.yaml has it, or a whole directory.yaml.",
)
@click.option("--since", type=Moment(), help="Replay calls begun since: 30d (ago), a date or RFC 3339.  [default: 30d]")
@click.option("--until", type=Moment(), help="Replay calls begun before.  [default: now]")
@click.option("--csv", "as_csv", is_flag=True, help="Print what happened as CSV: a row a cell and period.")
@click.option("--html", "page", type=click.Path(dir_okay=False, path_type=Path), help="Write a report with a plot.")
def dry_run(path: Path, since: str | None, until: str | None, as_csv: bool, page: Path | None) -> None:
    """Replay recorded calls against proposed budgets: who would have been alerted, downgraded and refused, and when.

    Changes nothing. Only the file's budgets are in the run, not those in force. What it assumes is printed with it.
    """
    if as_csv and as_json():
        raise BadInput("--csv and --json are two forms of the same answer; give one of them.")
    _check(path)
    with open_control("fastgate budgets dry-run") as control:
        report = control.dry_run(path, {"since": since, "until": until})
    if page is not None:
        _write(page, report)
    if as_csv:
        _print_csv(report["items"])
    elif as_json():
        output.print_json(report)
    else:
        print_report(report)


def _check(path: Path) -> None:
    """Every mistake of the file, before anybody is asked."""
    from fastgate.directory_proposal import proposed_budgets
    from fastgate.tree import ConfigErrors

    try:
        proposed_budgets(path.read_bytes(), os.environ, str(path))
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from error
    except ConfigErrors as error:
        raise BadInput(f"the proposed budgets have errors.\n{error}") from error


def _write(path: Path, report: Mapping[str, Any]) -> None:
    from fastgate.control.dryrun import page

    try:
        path.write_text(page.page(report), encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}.") from error
    click.echo(f"wrote {path}", err=True)


def print_report(report: Mapping[str, Any]) -> None:
    total = report["total"]
    days = report["days_recorded"]
    on = f"{total['calls']} calls on {days} day{'s' * (days != 1)}"
    click.echo(f"{on} since {minute(report['since'])} UTC, $ {total['recorded']}")
    if not total["calls"]:
        click.echo("nothing is recorded in this time, so nothing can be said about it")
        return
    click.echo(
        f"with these budgets $ {total['replayed']}: {total['refused_calls']} calls refused ($ {total['refused']}), "
        f"{total['downgraded_calls']} downgraded ($ {total['downgrade_saved']} less)"
    )
    _table("what happens, and when", report["items"], OUTCOMES)
    for name in ("team", "user", "key"):
        hit = [row for row in report[f"{name}s"] if row["refused_calls"] or row["downgraded_calls"]]
        _table(f"{name}s that are held back", hit, _subject(name))
    click.echo()
    for line in report["assumptions"]:
        click.echo(f"- {line}")


def _table(title: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> None:
    if not rows:
        return
    click.echo(f"\n{click.style(title, bold=True)}")
    output.console().print(output.table(rows[:SHOWN], columns))
    if len(rows) > SHOWN:
        click.echo(f"and {len(rows) - SHOWN} more: --json, --csv or --html")


def _subject(name: str) -> list[Column]:
    return [
        Column(name, lambda row: row[name] or "(none)"),
        Column("calls", "calls", "right"),
        Column("recorded $", "recorded", "right"),
        Column("avoided $", "avoided", "right"),
        Column("refused", "refused_calls", "right"),
        Column("first refused", output.moment("first_refused"), rank=1),
        Column("downgraded", "downgraded_calls", "right", rank=2),
    ]


def _print_csv(items: Sequence[Mapping[str, Any]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\r\n")
    actions = ("alert", "downgrade", "pause")
    writer.writerow([*CSV_COLUMNS, *(f"first_{action}" for action in actions)])
    for item in items:
        first = {stage["do"]: stage["when"] for stage in reversed(item["stages"])}
        values = [item[name] for name in CSV_COLUMNS]
        shown = [harmless(value) if isinstance(value, str) else value for value in values]
        writer.writerow([*shown, *(first.get(action, "") for action in actions)])


def minute(moment: str | None) -> str:
    return "" if moment is None else moment[:16].replace("T", " ")
