"""Pauses by hand: what they select is refused within a second and freed again; the refusal says who, why and until."""

from __future__ import annotations

import time

import pytest

from fastgate.snapshot import PauseRow
from tests.gateway.conftest import World
from tests.support.plane import OTHER_KEY, Answer

SINCE_NS = 1_790_000_000_000_000_000
WITHIN_S = 1.0
RECORDED_S = 5.0
SESSION = {"x_claude_code_session_id": "s-1"}


def pause(level: str, of: str, until_ns: int = 0) -> PauseRow:
    return PauseRow(level, of, "acme" if level == "tag" else "", "a runaway agent", "admin:eva", SINCE_NS, until_ns)


def put(world: World, *rows: PauseRow) -> None:
    world.plane.pauses = rows
    world.plane.publish()


def until(world: World, status: int, **call: object) -> Answer:
    begun = time.monotonic()
    while (answer := world.plane.message(**call)).status != status:  # type: ignore[arg-type]
        assert time.monotonic() - begun < WITHIN_S, answer.body
    return answer


@pytest.mark.parametrize(
    ("level", "of"),
    [
        ("org", "acme"),
        ("team", "platform"),
        ("user", "alice"),
        ("key", "alice-laptop"),
        ("tag", "project=checkout"),
        ("tag", "project=*"),
        ("tag", "cost_center=CC-1001"),
        ("tag", "session=s-1"),
    ],
)
def test_what_is_paused_stops_and_goes_on_within_a_second(world: World, level: str, of: str) -> None:
    put(world, pause(level, of))
    answer = until(world, 429, headers=SESSION)
    error = answer.json()["error"]
    assert error["type"] == "billing_error"
    assert error["message"] == (
        f"Paused: {level} {of} was paused by admin:eva at 2026-09-21 14:13 UTC: a runaway agent. "
        "It stays so until admin:eva or another admin resumes it."
    )
    assert answer.headers["x-should-retry"] == "false"
    assert answer.headers["retry-after"] == "604800"
    put(world)
    until(world, 200, headers=SESSION)


@pytest.mark.parametrize(("level", "of"), [("user", "bob"), ("team", "other"), ("tag", "session=s-2"), ("key", "x")])
def test_what_is_not_paused_goes_on(world: World, level: str, of: str) -> None:
    put(world, pause(level, of), pause("key", "bob-laptop"))
    until(world, 429, key=OTHER_KEY, model="claude-haiku-4-5")
    assert world.plane.message(headers=SESSION).status == 200
    put(world)


def test_a_pause_ends_by_itself_and_says_when(world: World) -> None:
    put(world, pause("user", "alice", time.time_ns() + 1_500_000_000))
    answer = until(world, 429)
    assert answer.headers["retry-after"] in ("1", "2")
    assert "It ends 20" in answer.json()["error"]["message"]
    time.sleep(1.0)
    until(world, 200)
    put(world)


def test_counting_tokens_is_free_and_never_stopped(world: World) -> None:
    put(world, pause("org", "acme"))
    until(world, 429)
    body = {"model": "claude-sonnet-5-5", "messages": [{"role": "user", "content": "hello"}]}
    counted = world.plane.request("POST", "/v1/messages/count_tokens", body, x_api_key=OTHER_KEY)
    assert counted.status != 429
    put(world)


def test_a_refused_call_is_recorded_and_costs_nothing(world: World) -> None:
    put(world, pause("org", "acme"))
    call_id = until(world, 429).headers["x-fastgate-call-id"]
    begun = time.monotonic()
    while not (found := [record for record in world.plane.records() if record.id == call_id]):
        assert time.monotonic() - begun < RECORDED_S
        time.sleep(0.02)
    (record,) = found
    assert (record.outcome, record.error, record.status, record.cost_nano) == ("refused", "paused", 429, 0)
    put(world)
