"""`fastgate top`: calls and spend as they happen. Asks the control plane once a second; knows nothing it cannot ask."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Any

import click

from fastgate.cli import output
from fastgate.cli.calls import COLUMNS as CALL_COLUMNS
from fastgate.cli.control import RemoteControl
from fastgate.cli.failures import Unreachable
from fastgate.cli.instance import START_FIX, find_place
from fastgate.cli.moments import NS
from fastgate.cli.options import as_json, command
from fastgate.cli.output import Column

if TYPE_CHECKING:
    from rich.console import Group

REFRESH_S = 1.0
WINDOW_S = 3600
"""The spend shown is of the last hour."""
RATE_S = 60
"""Calls a second are an average over the last minute."""
CALLS = 12
GROUPS = 8

SPEND_COLUMNS = [
    Column("user", "user"),
    Column("team", "team"),
    Column("calls", "calls", "right"),
    Column("in", lambda row: row["usage"]["input_tokens"], "right"),
    Column("read", lambda row: row["usage"]["cache_read_tokens"], "right"),
    Column("out", lambda row: row["usage"]["output_tokens"], "right"),
    Column("cost $", "cost", "right"),
]


@command("top")
@click.option("--once", is_flag=True, help="Show one view and end, as --json does.")
def top(once: bool) -> None:
    """Watch calls and spend of the running gateway live. Ctrl-C ends it."""
    running = find_place().running
    if running is None:
        raise Unreachable("no gateway runs here.", fix=START_FIX)
    control = RemoteControl(running.control, running.admin_token, running.listen)
    if as_json():
        output.print_json(view(control))
        return
    if once:
        output.console().print(drawn(view(control)))
        return
    from rich.live import Live

    # A KeyboardInterrupt that arrives in a finaliser is lost; a flag is not.
    asked: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: asked.append(number))
    try:
        with Live(drawn(view(control)), console=output.console(), screen=True, auto_refresh=False) as live:
            while not asked:
                time.sleep(REFRESH_S)
                live.update(drawn(view(control)), refresh=True)
    finally:
        signal.signal(signal.SIGINT, before)


def view(control: RemoteControl) -> dict[str, Any]:
    """One look at the gateway: its state, the last minute, the last hour by user, the last calls."""
    return {
        "status": control.status(),
        "minute": control.spend([], {"since": ago(RATE_S)})["total"],
        "hour": control.spend(["user", "team"], {"since": ago(WINDOW_S)}),
        "calls": control.calls_list({}, "", CALLS)["items"],
    }


def ago(seconds: int) -> str:
    from fastgate.clock import wall_ns
    from fastgate.times import rfc3339

    return rfc3339(wall_ns() - seconds * NS)


def drawn(seen: dict[str, Any]) -> Group:
    """A view as rich draws it."""
    from rich.console import Group
    from rich.text import Text

    status, minute = seen["status"], seen["minute"]
    state = "draining" if status["draining"] else "serving"
    head = (
        f"fastgate {status['version']}  {state} on {status['listen']}  workers {len(status['workers'])}"
        f"  in flight {status['in_flight']}  policy {status['snapshot_version']}"
    )
    rate = f"last minute: {minute['calls'] / RATE_S:.1f} calls/s, $ {minute['cost']}"
    total = f"last hour: {seen['hour']['total']['calls']} calls, $ {seen['hour']['total']['cost']}"
    return Group(
        Text(head, style="bold"),
        Text(f"{rate}    {total}\n"),
        output.table(seen["hour"]["items"][:GROUPS], SPEND_COLUMNS),
        Text(),
        output.table(seen["calls"], CALL_COLUMNS),
    )
