"""Stops about running the gateway: reports that add up, and an orderly end. The drain ends the demo, so it is last."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from fastgate.cli.demo_world import CAROL, curl_line
from fastgate.cli.tour import expect
from fastgate.cli.tour.stage import STOP_S, Stage
from fastgate.cli.tour.stops_calls import CLOSING, DEMO

Row = dict[str, Any]

STEADY = "[[sim:slow bytes_per_s=8000]] [[sim:answer tokens=400]]"
"""An answer that takes a few seconds: well within the demo's drain deadline."""

SETTLE_S = 6.0
"""The last stop's calls become visible within a second, and two commands are run to look."""


def spend_adds_up(stage: Stage) -> Iterator[str]:
    """Every call is in the usage table, and spend by user is their sum to the nano-dollar."""
    yield "fastgate spend --by user"

    def look() -> tuple[list[Row], list[Row]] | None:
        calls, rows = stage.every_call(), stage.fastgate("spend", "--by", "user")["items"]
        return (
            (calls, rows)
            if sums(calls) == {row["user"]: (row["calls"], Decimal(row["cost"])) for row in rows}
            else None
        )

    calls, rows = stage.until("spend by user is the sum of the calls", look, SETTLE_S)
    for row in rows:
        yield f"{row['user'] or '(no valid key)':<15} {row['calls']:>4} calls  ${row['cost']}"
    total = sum((Decimal(call["cost"]) for call in calls), Decimal(0))
    expect(total > 0, "calls that cost something")
    yield f"{len(calls)} calls add up to ${total}"


def sums(calls: list[Row]) -> dict[str | None, tuple[int, Decimal]]:
    """Number and cost of calls by user, added up here."""
    found: dict[str | None, tuple[int, Decimal]] = {}
    for call in calls:
        count, cost = found.get(call["user"], (0, Decimal(0)))
        found[call["user"]] = (count + 1, cost + Decimal(call["cost"]))
    return found


def drain(stage: Stage) -> Iterator[str]:
    """On SIGTERM or Ctrl-C new calls are refused, open streams finish whole, then the processes end: exit 0."""
    yield curl_line(DEMO, CAROL.secret, "-N", prompt=STEADY, stream=True) + "    # and Ctrl-C in the gateway's terminal"
    stream = stage.wire.stream(CAROL.secret, STEADY)
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(stream.lines()))
    reader.start()
    stage.process.send_signal(signal.SIGTERM)
    ready = stage.until("readyz says 503", lambda: a if (a := stage.wire.get("/readyz")).status == 503 else None)
    yield f"/readyz: {ready.status}"
    late = stage.wire.ask(CAROL.secret, "say hi")
    yield f"a new call: {late.status}, connection: {late.headers.get('connection')}"
    expect(late.status == 503 and late.headers.get("connection") == "close", "503 and connection: close")
    reader.join(STOP_S)
    stream.close()
    ended = [line for line in lines if line.startswith("event: message_stop")]
    expect(bool(ended) and [line for line in lines if line][-1].startswith(CLOSING), "the open stream finishes whole")
    yield f"the open stream finished: {len(lines)} lines, to its closing comment"
    code = stage.process.wait(STOP_S)
    expect(code == 0, f"exit code 0, not {code}")
    yield "the gateway ended with exit code 0"
