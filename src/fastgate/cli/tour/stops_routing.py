"""Stops about routing: a session stays where its prompt cache is warm, and moves once when it must."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

from fastgate.cli.demo_world import ALICE, curl_line
from fastgate.cli.tour import expect
from fastgate.cli.tour.stage import START_S, Stage

DEMO = "127.0.0.1:8080"
"""Where the commands to repeat point: `fastgate demo` as it starts by default."""

SESSION = "6d2f1c52-0000-4000-8000-0f1a5e1ca5ee"

FIRST = "first turn [[sim:usage usage=input:6,output:80,cache_write_5m:40000]]"
LATER = "turn {number} [[sim:usage usage=input:6,output:80,cache_read:40000,cache_write_5m:300]]"
"""Each asks something else, so that no turn is answered from the gateway's own cache."""


def session_keeps_its_cache(stage: Stage) -> Iterator[str]:
    """A session stays at the endpoint that holds its prompt cache; when that dies it moves, says why, and stays."""
    header = f"'x-claude-code-session-id: {SESSION}'"
    yield curl_line(DEMO, ALICE.secret, "-i", "-H", header, prompt="first turn") + "   # then kill its provider"
    stage.until("both providers are up", lambda: both_up(stage), START_S)
    home = turn(stage, FIRST)
    again = turn(stage, LATER.format(number=2))
    yield f"first turn: {home['provider']}; second: {again['provider']}"
    expect(again["provider"] == home["provider"], f"the second turn at {home['provider']} too")
    stage.kill_provider(home["provider"])
    moved = turn(stage, LATER.format(number=3))
    yield f"its provider is killed; third: {moved['provider']}, x-fastgate-routed: {moved.get('routed', '-')}"
    expect(moved["provider"] != home["provider"], "another provider")
    expect(moved.get("routed", "").startswith(f"hop;{home['provider']};"), f"hop;{home['provider']};… and why")
    stage.until("both providers are up", lambda: both_up(stage), START_S)
    stays = turn(stage, LATER.format(number=4))
    yield f"it is back; fourth: {stays['provider']}, where the cache is warm now"
    expect(stays["provider"] == moved["provider"] and "routed" not in stays, f"{moved['provider']}, and no move")
    stage.recorded(ALICE, stays["call-id"])
    told = stage.until("the call is counted", lambda: explained(stage, stays["call-id"]))
    yield f"fastgate route explain {stays['call-id']}: {told['why']}"
    for item in told["items"]:
        warm, new = item["warm_tokens"], item["new_tokens"]
        yield f"  {item['place']}: {warm} tokens warm, {new} new, this turn ${item['price']}, in all ${item['whole']}"
    expect(told["reason"] == "home" and told["replayed"], "it stays, and its record gives the same answer again")


def turn(stage: Stage, prompt: str) -> dict[str, str]:
    """One turn of the session; the gateway's own headers of its answer."""
    answer = stage.wire.ask(ALICE.secret, prompt, session=SESSION)
    expect(answer.status == 200, f"200, not {answer.status}: {answer.body[:200]!r}")
    return {name.removeprefix("x-fastgate-"): value for name, value in answer.headers.items()}


def explained(stage: Stage, call_id: str) -> dict[str, Any] | None:
    listed = stage.fastgate("calls", "list", "--limit", "5")
    if not any(row["id"] == call_id for row in listed["items"]):
        return None
    told: dict[str, Any] = stage.fastgate("route", "explain", call_id)
    return told


def both_up(stage: Stage) -> bool | None:
    """True once both scripted providers accept connections."""
    for url in stage.told["providers"].values():
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))):
                return None
    return True
