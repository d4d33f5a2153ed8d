"""Temporary increases as subcommands of `fastgate budgets`: for operators, and for developers with their own keys."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import click

from fastgate.cli import output, statusline
from fastgate.cli.control import open_control
from fastgate.cli.dollars import Dollars
from fastgate.cli.failures import BadInput, Refused, Unreachable
from fastgate.cli.moments import Moment
from fastgate.cli.options import as_json, command
from fastgate.cli.output import Column

if TYPE_CHECKING:
    from decimal import Decimal

PAGE = 100


def dollars(text: str | None) -> str:
    """Money as a table shows it: at least cents, and no zeros after them."""
    if text is None:
        return "-"
    whole, _, rest = text.partition(".")
    return f"{whole}.{rest.rstrip('0').ljust(2, '0')}"


ASK_PATH = "/v1/fastgate/increases"
ASK_WAIT_S = 10.0
"""The gateway answers when the disk has it."""

INCREASE_COLUMNS = [
    Column("id", "id"),
    Column("budget", "budget"),
    Column("cell", "cell", rank=1),
    Column("$", lambda row: dollars(row["usd"]), "right"),
    Column("until", output.moment("until")),
    Column("state", "state"),
    Column("reason", "reason", prose=True),
    Column("asked by", "requested_by", rank=2),
    Column("decided by", "decided_by", rank=3),
]


@command("raise")
@click.argument("budget_id", metavar="BUDGET")
@click.option("--usd", required=True, type=Dollars(), help="By how much, in dollars.")
@click.option("--until", required=True, type=Moment(ahead=True), help="When it ends: 4h, 3d, 2027-01-01 or RFC 3339.")
@click.option("--reason", required=True, help="Why; whoever looks at the budget reads it.")
@click.option("--seat", "cell", default="", help="Only this member or tag value of a budget that has a cell for each.")
@click.option("--request", "only_ask", is_flag=True, help="Only ask: somebody else approves it.")
def raise_(budget_id: str, usd: Decimal, until: str, reason: str, cell: str, only_ask: bool) -> None:
    """Raise a budget for a while: its ceiling and every stage move up by the amount, until it ends.

    A per-seat budget is raised for every seat, or for the one that --seat names: a user, or key:ID. With --request
    it waits for `fastgate budgets approve`.
    """
    body = {"usd": str(usd), "until": until, "reason": reason, "cell": cell, "approve": not only_ask}
    with open_control("fastgate budgets raise", writes=True) as control:
        increase = control.budgets.request(budget_id, body)
    told_increase(increase)


@command("ask")
@click.argument("budget_id", metavar="BUDGET")
@click.option("--usd", required=True, type=Dollars(), help="How much more, in dollars.")
@click.option("--until", required=True, type=Moment(ahead=True), help="When it ends: 4h, 3d, 2027-01-01 or RFC 3339.")
@click.option("--reason", required=True, help="Why; whoever decides reads it.")
def ask(budget_id: str, usd: Decimal, until: str, reason: str) -> None:
    """Ask for more of a budget of your own, with your own key.

    Uses ANTHROPIC_BASE_URL and ANTHROPIC_AUTH_TOKEN (or ANTHROPIC_API_KEY), as Claude Code does; no admin token. Of a
    per-seat budget your own seat is asked for. Somebody decides with `fastgate budgets requests`; the status line
    and /v1/fastgate/me show how it stands.
    """
    body = {"budget": budget_id, "usd": str(usd), "until": until, "reason": reason}
    try:
        status, answer = statusline.speak(
            os.environ, "POST", ASK_PATH, body=json.dumps(body).encode(), wait_s=ASK_WAIT_S
        )
    except statusline.NoAnswerError as error:
        raise Unreachable(f"{error}.") from None
    if status == 202 and answer is not None:
        told(answer, f"increase {answer['id']} of budget {budget_id} by ${dollars(answer['usd'])} is asked for.")
        return
    error_of = (answer or {}).get("error")
    message = str(error_of.get("message", "")) if isinstance(error_of, dict) else ""
    if not message:
        raise Unreachable(f"the gateway answered {status}.")
    raise (BadInput if status == 400 else Refused)(message)


@command("requests")
@click.option("--budget", default="", help="Only of this budget.")
@click.option("--cursor", default="", help="Where the previous page ended.")
@click.option("--limit", default=PAGE, show_default=True, type=click.IntRange(1, 1000), help="Increases on one page.")
def requests(budget: str, cursor: str, limit: int) -> None:
    """List increases that wait for a decision: `fastgate budgets approve` or `deny`."""
    listed("requests", budget, "requested", cursor, limit, "nobody waits for an increase")


@command("increases")
@click.option("--budget", default="", help="Only of this budget.")
@click.option("--cursor", default="", help="Where the previous page ended.")
@click.option("--limit", default=PAGE, show_default=True, type=click.IntRange(1, 1000), help="Increases on one page.")
def increases(budget: str, cursor: str, limit: int) -> None:
    """List increases: asked for, granted, denied and over."""
    listed("increases", budget, "", cursor, limit, "no increases")


def listed(name: str, budget: str, state: str, cursor: str, limit: int, empty: str) -> None:
    with open_control(f"fastgate budgets {name}") as control:
        page = control.budgets.increases(budget, state, cursor, limit)
    output.listing(page["items"], INCREASE_COLUMNS, page["next"], empty=empty)


@command("approve")
@click.argument("increase_id", metavar="INCREASE")
def approve(increase_id: str) -> None:
    """Grant an increase that was asked for. In force within a second."""
    decide(increase_id, "approve")


@command("deny")
@click.argument("increase_id", metavar="INCREASE")
def deny(increase_id: str) -> None:
    """Refuse an increase that was asked for."""
    decide(increase_id, "deny")


@command("end")
@click.argument("increase_id", metavar="INCREASE")
def end(increase_id: str) -> None:
    """End an increase before its time."""
    decide(increase_id, "end")


def decide(increase_id: str, verdict: str) -> None:
    with open_control(f"fastgate budgets {verdict}", writes=True) as control:
        told_increase(control.budgets.decide(increase_id, verdict))


def told_increase(increase: dict[str, Any]) -> None:
    words = f"increase {increase['id']} of budget {increase['budget']} by ${dollars(increase['usd'])}"
    told(increase, f"{words} until {increase['until']} is {increase['state']}.")


def told(answer: dict[str, Any], sentence: str) -> None:
    if as_json():
        output.print_json(answer)
    else:
        click.echo(sentence)


COMMANDS = (raise_, ask, requests, increases, approve, deny, end)
