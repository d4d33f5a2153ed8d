"""`fastgate budgets`: what may be spent. Listings state the limit and, for hard budgets, the ceiling nothing passes."""

from __future__ import annotations

import re
import sys
from decimal import Decimal
from typing import Any

import click

from fastgate.cli import output
from fastgate.cli.budgets_dry_run import dry_run, print_report
from fastgate.cli.control import Control, open_control
from fastgate.cli.dollars import Dollars
from fastgate.cli.failures import BadInput, Refused
from fastgate.cli.increases import COMMANDS, PAGE, dollars, told
from fastgate.cli.options import as_json, group
from fastgate.cli.output import Column

HOURS = {"h": 1, "d": 24, "w": 168}
PERIODS = ("day", "week", "month", "quarter", "total")
LEVELS = ("org", "team", "user", "key", "tag")


COLUMNS = [
    Column("id", "id"),
    Column("of", lambda row: f"{row['level']} {row['of']}" + (" each" if row["per_seat"] else "")),
    Column("models", lambda row: row["models"] or "all", rank=2),
    Column("period", lambda row: f"{row['rolling_h']}h" if row["rolling_h"] else row["period"]),
    Column("mode", "mode", rank=3),
    Column("limit $", lambda row: dollars(row["limit"]), "right"),
    Column("ceiling $", lambda row: dollars(row["ceiling"]), "right", rank=1),
    Column("spent $", lambda row: dollars(row["spent"]), "right"),
    Column("stages", lambda row: [f"{stage['do']}@{percent(stage['at'])}" for stage in row["stages"]], rank=4),
    Column("resets", output.moment("resets_at")),
    Column("origin", "origin", rank=5),
]


LEASE_COLUMNS = [
    Column("worker", "worker"),
    Column("pid", "pid"),
    Column("is", "standing"),
    Column("leased $", lambda row: dollars(row["leased"]), "right"),
    Column("done", "done"),
    Column("because", "why", prose=True),
]


def percent(part: str) -> str:
    return f"{Decimal(part) * 100:f}".rstrip("0").rstrip(".") + "%" if "." in part else f"{Decimal(part) * 100:f}%"


NEEDED = {"level": "--org, --team, --user, --key or --tag", "period": "--period", "usd": "--usd"}
"""What a new budget cannot do without, as the API and as the options name it."""


@group("budgets")
def budgets() -> None:
    """Set, list, show, raise and remove budgets.

    Budgets that directory.yaml declares are changed there; `raise` and `pause` work for all.
    """


@budgets.command("set")
@click.argument("budget_id", metavar="BUDGET")
@click.option("--org", help="A budget of this org; with --tag, the org whose tag it is.")
@click.option("--team", help="A budget of this team.")
@click.option("--user", help="A budget of this user.")
@click.option("--key", help="A budget of this key.")
@click.option("--tag", metavar="NAME=VALUE", help="A budget of this tag; NAME=* gives each value one of this size.")
@click.option("--usd", type=Dollars(), help="The limit of one period, in dollars.")
@click.option("--period", help="day, week, month, quarter, total, or a rolling window: 5h, 24h, 7d.")
@click.option("--mode", type=click.Choice(["hard", "soft"]), help="hard: nothing passes the ceiling.  [default: hard]")
@click.option("--stage", "stages", multiple=True, metavar="PART=ACTION", help="0.8=alert, 0.95=downgrade, 1.1=pause.")
@click.option("--no-stages", is_flag=True, help="Nothing happens before the limit.")
@click.option("--model", "models", multiple=True, help="Only of this family or glob; may be repeated.  [default: all]")
@click.option("--per-seat", is_flag=True, default=None, help="Each member has this much.")
@click.option("--tz", help="Time zone in which periods begin.  [default: UTC]")
@click.option("--start-day", type=int, help="Day on which a period begins.  [default: 1]")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def set_(budget_id: str, dry_run: bool, yes: bool, **options: Any) -> None:
    """Make a budget, or change the amount, mode or stages of one.

    What a budget counts never changes: for another level, period or zone make a new one. Changing a budget changes no
    spend. First it shows what the budget would have done to the calls of the last 30 days; on a terminal it then asks.
    """
    change = change_of(options)
    with open_control("fastgate budgets set", writes=True) as control:
        plan = planned(control, budget_id, change)
        if dry_run or not plan["changes"]:
            told_put(plan)
            return
        if not as_json():
            told_put(plan)
            if not yes and sys.stdin.isatty() and not click.confirm("do it?"):
                raise Refused("nothing was changed.")
        told_put(control.budgets.put(budget_id, change, False) | {"replay": plan["replay"]})


def planned(control: Control, budget_id: str, change: dict[str, Any]) -> dict[str, Any]:
    """What it would do. A budget that is not there yet needs whose it is, how much and for how long: by our options."""
    try:
        return control.budgets.put(budget_id, change, True)
    except BadInput as error:
        lacking = [options for name, options in NEEDED.items() if f"{name}: missing" in error.message]
        if not lacking:
            raise
        raise BadInput(f"there is no budget {budget_id} yet; to make it, add {', '.join(lacking)}.") from None


def change_of(options: dict[str, Any]) -> dict[str, Any]:
    """The options that were given, as the API takes them."""
    change: dict[str, Any] = selector_of(options)
    for name in ("mode", "tz", "start_day", "per_seat"):
        if options[name] is not None:
            change[name] = options[name]
    if options["usd"] is not None:
        change["usd"] = str(options["usd"])
    if options["models"]:
        change["models"] = list(options["models"])
    if options["period"]:
        change |= period_of(options["period"])
    if options["stages"] and options["no_stages"]:
        raise BadInput("--stage and --no-stages exclude each other.")
    if options["stages"] or options["no_stages"]:
        change["stages"] = [stage_of(text) for text in options["stages"]]
    return change


def selector_of(options: dict[str, Any]) -> dict[str, Any]:
    given = {level: options[level] for level in LEVELS if options[level]}
    org = given.pop("org", None) if "tag" in given else None
    if len(given) > 1:
        raise BadInput(f"a budget is of one thing, not of {' and '.join(given)}; make one budget for each.")
    selector = {}
    for level, of in given.items():
        selector = {"level": level, "of": of}
    return selector | ({"org": org} if org else {})


def period_of(text: str) -> dict[str, Any]:
    window = re.fullmatch(r"(\d{1,5})([hdw])", text)
    if window:
        return {"period": "rolling", "rolling_h": int(window[1]) * HOURS[window[2]]}
    if text not in PERIODS:
        raise BadInput(f"--period {text!r} is none; write {', '.join(PERIODS)}, or a rolling window like 5h or 7d.")
    return {"period": text}


def stage_of(text: str) -> dict[str, str]:
    part, equals, action = text.partition("=")
    if not equals or not re.fullmatch(r"\d{1,2}(\.\d{1,6})?", part):
        raise BadInput(f"--stage {text!r} is not PART=ACTION, like 0.8=alert.")
    return {"at": part, "do": action}


def told_put(answer: dict[str, Any]) -> None:
    if as_json():
        output.print_json(answer)
        return
    budget, changes = answer["budget"], answer["changes"]
    if not changes:
        click.echo(f"budget {budget['id']} is that already")
        return
    verb = {"create": "made", "update": "changed"}[changes[0]["action"]]
    ceiling = f", ceiling ${dollars(budget['ceiling'])}" if budget["ceiling"] else ", no ceiling"
    would = "would be " if answer["dry_run"] else ""
    click.echo(f"budget {budget['id']} {would}{verb}: limit ${dollars(budget['limit'])}{ceiling}")
    for warning in answer["warnings"] if answer["dry_run"] else ():
        click.echo(f"{click.style('warning', fg='yellow')}  {warning}")
    if answer["dry_run"] and answer["replay"]["total"]["calls"]:
        print_report(answer["replay"])
    elif answer["dry_run"]:
        click.echo("no calls are on record yet, so nothing can be said about what it would have done")


@budgets.command("list")
@click.option("--cursor", default="", help="Where the previous page ended.")
@click.option("--limit", default=PAGE, show_default=True, type=click.IntRange(1, 1000), help="Budgets on one page.")
def list_(cursor: str, limit: int) -> None:
    """List budgets with limit, ceiling, stages and when they begin anew."""
    with open_control("fastgate budgets list") as control:
        page = control.budgets.list(cursor, limit)
    output.listing(page["items"], COLUMNS, page["next"], empty="no budgets yet: fastgate budgets set --help")


@budgets.command("show")
@click.argument("budget_id", metavar="BUDGET")
def show(budget_id: str) -> None:
    """Show one budget, its stages and live increases in dollars."""
    with open_control("fastgate budgets show") as control:
        output.record(control.budgets.show(budget_id))


@budgets.command("remove")
@click.argument("budget_id", metavar="BUDGET")
def remove(budget_id: str) -> None:
    """Remove a budget and its increases. What was spent stays recorded."""
    with open_control("fastgate budgets remove", writes=True) as control:
        removed = control.budgets.remove(budget_id)
    told(removed, f"budget {budget_id} is removed.")


@budgets.command("reap")
@click.argument("worker", metavar="[WORKER]", required=False)
@click.option("--charge", is_flag=True, help="Charge all that WORKER has leased; only where it does not answer.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def reap(worker: str | None, charge: bool, yes: bool) -> None:
    """End what workers had leased that are gone.

    Workers lease money ahead of their calls. What a dead one had not spent is freed once all of its calls are charged;
    the gateway does that by itself within a second, this does it now and says how much. Of a worker that does not
    answer, nobody can say what it spends until it is dead: end its process, or have its lease charged whole.
    """
    if charge and worker is None:
        raise BadInput(
            "--charge needs the worker whose leases are to be charged.", fix="`fastgate budgets reap` lists them"
        )
    question = f"charge all that {worker} has leased, and have it end when it wakes?"
    if charge and not (yes or as_json()) and sys.stdin.isatty() and not click.confirm(question):
        raise Refused("nothing was changed.")
    with open_control("fastgate budgets reap", writes=True) as control:
        told_reaped(control.budgets.reap(worker, charge))


def told_reaped(answer: dict[str, Any]) -> None:
    if as_json():
        output.print_json(answer)
        return
    output.listing(answer["items"], LEASE_COLUMNS, empty="no worker has leased anything")
    if answer["items"]:
        click.echo(f"freed ${dollars(answer['freed'])}, charged ${dollars(answer['charged'])}")


for each in (*COMMANDS, dry_run):
    budgets.add_command(each)
