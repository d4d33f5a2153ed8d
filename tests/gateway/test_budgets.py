"""Budgets on the way of a call: refusals, waiting, less output, a cheaper model, soft pauses, and what is charged.

One gateway for all; each test has a session of its own, and the sessions have budgets of their own.
"""

from __future__ import annotations

import asyncio
import csv
import json
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fastgate.sim.behaviour import Behaviour
from tests.faults.test_worker_kill import records_of
from tests.support.admin import until
from tests.support.burst import Answer, billed, post, until_decided
from tests.support.gateway import Gateway, serving
from tests.support.sim import Call, SimProcess, running

OPUS, SONNET, HAIKU = "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"
"""From the dearest on; what none of them fits into is refused."""

CONFIG = """\
routing: {cascade_on: [budget, throttled], opt_out: [bob-*]}
limits: {budget_wait_ms: 400, min_output_tokens: 200}
"""

PAUSE = "stages: [{at: 1.0, do: pause}]"
BUDGETS = f"""\
budgets:
  - {{id: wide, level: org, of: acme, period: month, usd: 100000, mode: hard}}
  - {{id: spent, level: tag, of: "session=spent", org: acme, period: month, tz: Europe/Berlin, usd: 0.00001, {PAUSE}}}
  - {{id: forever, level: tag, of: "session=forever", org: acme, period: total, usd: 0.00001, {PAUSE}}}
  - {{id: window, level: tag, of: "session=window", org: acme, period: rolling, rolling_h: 5, usd: 0.0008, {PAUSE}}}
  - {{id: grows, level: tag, of: "session=grows", org: acme, period: day, usd: 0.01, {PAUSE}}}
  - {{id: small, level: tag, of: "session=small", org: acme, period: day, usd: 0.05, {PAUSE}}}
  - {{id: busy, level: tag, of: "session=busy", org: acme, period: day, usd: 0.0006, {PAUSE}}}
  - {{id: leaves, level: tag, of: "session=leaves", org: acme, period: day, usd: 0.0009, {PAUSE}}}
  - {{id: waits, level: tag, of: "session=waits", org: acme, period: day, usd: 0.0009, {PAUSE}}}
  - id: downgrade
    level: tag
    of: "session=downgrade"
    org: acme
    period: day
    usd: 10
    stages: [{{at: 0.00001, do: downgrade}}, {{at: 1.0, do: pause}}]
  - {{id: opus-only, level: tag, of: "session=cheaper", org: acme, period: day, usd: 0.001, models: [opus], {PAUSE}}}
  - id: soft
    level: tag
    of: "session=soft"
    org: acme
    period: day
    usd: 10
    mode: soft
    stages: [{{at: 0.00001, do: pause}}]
  - {{id: sonnets, level: tag, of: "session=throttled", org: acme, period: day, usd: 50, models: [sonnet]}}
  - {{id: haikus, level: tag, of: "session=throttled", org: acme, period: day, usd: 50, models: [haiku]}}
  - id: no-haiku
    level: tag
    of: "session=nothing-left"
    org: acme
    period: day
    usd: 0.00001
    models: [haiku]
    {PAUSE}
"""


@dataclass
class House:
    gateway: Gateway
    simulator: SimProcess

    @property
    def port(self) -> int:
        return int(self.gateway.url.rpartition(":")[2])

    def send(self, session: str, max_tokens: int = 500, **more: Any) -> Answer:
        return asyncio.run(post(self.port, body(session, max_tokens, **more)))

    def upstream(self, session: str, count: int) -> list[Call]:
        deadline = time.monotonic() + 5
        while True:
            calls = [call for call in self.simulator.calls() if call.started.session == session]
            if len(calls) >= count and all(call.ended for call in calls):
                return calls
            assert time.monotonic() < deadline, calls
            time.sleep(0.02)

    def spent(self, budget: str) -> tuple[int, int]:
        db = sqlite3.connect(self.gateway.directory / "fastgate-data" / "counters.sqlite", timeout=10)
        try:
            found = db.execute(
                "SELECT coalesce(sum(spent), 0), coalesce(sum((SELECT sum(nano) FROM leases WHERE cell = id)), 0) "
                "FROM cells WHERE budget = ?",
                (budget,),
            ).fetchone()
        finally:
            db.close()
        return found[0], found[1]

    def wants(self, budget: str) -> int:
        """Calls that stand in the queue of a budget."""
        db = sqlite3.connect(self.gateway.directory / "fastgate-data" / "counters.sqlite", timeout=10)
        try:
            query = "SELECT count(*) FROM wants w JOIN cells c ON c.id = w.cell WHERE c.budget = ?"
            return int(db.execute(query, (budget,)).fetchone()[0])
        finally:
            db.close()

    def settled(self, budget: str, spent: int | None = None) -> int:
        """What is spent of a budget once nothing of it is leased."""
        deadline = time.monotonic() + 8
        while True:
            found, leased = self.spent(budget)
            if leased == 0 and (found == spent if spent is not None else found > 0):
                return found
            assert time.monotonic() < deadline, (found, leased, spent)
            time.sleep(0.05)


def body(session: str, max_tokens: int = 500, text: str = "hello", model: str = HAIKU, **more: Any) -> bytes:
    request = {
        "model": model,
        "max_tokens": max_tokens,
        "messages": [{"role": "user", "content": text}],
        "metadata": {"user_id": json.dumps({"session_id": session})},
    }
    return json.dumps(request | more).encode()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with (
        running(tmp_path_factory.mktemp("sim")) as simulator,
        serving(tmp_path_factory.mktemp("gw"), simulator.url, 1, more=CONFIG, budgets=BUDGETS) as gateway,
    ):
        yield House(gateway, simulator)


def refused(answer: Answer) -> str:
    """The message of a final refusal."""
    assert answer.status == 429
    kind, message = answer.error
    assert kind == "billing_error"
    assert answer.headers["x-should-retry"] == "false"
    assert answer.headers["x-fastgate-cost"] == "0.000000000"
    return message


def test_a_budget_that_pays_for_nothing_refuses_and_says_all_there_is_to_say(house: House) -> None:
    answer = house.send("spent")
    message = refused(answer)
    for part in (
        "Budget spent",
        "$0.00 of $0.00001",
        "limit $0.00001 a month",
        "this call needs $0.0",
        "CET",
        "em@acme.example",
        "CC-1001",
    ):
        assert part in message, message
    assert 0 < int(answer.headers["retry-after"]) <= 31 * 86_400
    assert answer.headers["x-fastgate-budget"].startswith("spent;remaining=0.00")
    assert not [call for call in house.simulator.calls() if call.started.session == "spent"], "it was sent"


def test_a_long_conversation_is_held_for_what_it_was_and_what_is_new(house: House) -> None:
    """40 KB would be 0.9 cents as so many tokens, but were 10,000."""
    messages = [{"role": "user", "content": "word " * 8_000}]
    for turn in range(6):
        answer = house.send("grows", messages=messages)
        assert answer.status == 200, (turn, answer.error)
        messages += [{"role": "assistant", "content": f"turn {turn}"}, {"role": "user", "content": "go on"}]
    calls = house.upstream("grows", 6)
    assert house.settled("grows", billed(calls)) == billed(calls) > 5_000_000
    strange = [{"role": "user", "content": "wort " * 8_000}]
    assert "this call needs $0.009" in refused(house.send("grows", messages=strange))


def test_a_total_budget_says_that_it_does_not_reset(house: House) -> None:
    answer = house.send("forever")
    assert "does not reset" in refused(answer)
    assert answer.headers["retry-after"] == "604800"


def test_a_window_that_moves_says_when_there_is_room(house: House) -> None:
    assert house.send("window").status == 200
    house.settled("window")
    deadline = time.monotonic() + 20
    while (answer := house.send("window")).status == 200:
        assert time.monotonic() < deadline
    message = refused(answer)
    assert "There is room for this call again at" in message, message
    # The steps of five hours are five minutes long: nothing leaves before the window is over.
    assert 5 * 3600 - 300 <= int(answer.headers["retry-after"]) <= 5 * 3600 + 600


def test_what_does_not_fit_gets_less_output_in_the_bytes_that_are_sent(house: House) -> None:
    sent = body("small", 100_000)
    answer = asyncio.run(post(house.port, sent))
    assert answer.status == 200, answer.body
    (call,) = house.upstream("small", 1)
    received = house.simulator.body(call)
    less = json.loads(received)["max_tokens"]
    assert 200 <= less < 100_000
    assert received == sent.replace(b"100000", str(less).encode())
    assert Decimal(answer.headers["x-fastgate-cost"]) < Decimal("0.05")


def test_thinking_is_never_cut_below_its_budget(house: House) -> None:
    house.settled("small")
    thinking = {"type": "enabled", "budget_tokens": 99_990}
    assert "Budget small" in refused(house.send("small", 100_000, thinking=thinking))


def test_while_calls_in_flight_hold_the_rest_a_client_is_told_to_try_again(house: House) -> None:
    house.simulator.script(Behaviour(tokens=100, gap_ms=60), session="busy", n=1)
    slow, second = asyncio.run(two_at_once(house, "busy", after_s=0.2))
    assert slow.status == 200
    assert second.status == 429
    kind, message = second.error
    assert kind == "rate_limit_error"
    assert "held by calls in flight" in message
    assert second.headers["x-should-retry"] == "true"
    assert 1 <= int(second.headers["retry-after"]) <= 30


def test_a_call_that_waits_succeeds_when_the_one_in_flight_has_ended(house: House) -> None:
    house.simulator.script(Behaviour(tokens=10, gap_ms=30), session="waits", n=1)
    slow, second = asyncio.run(two_at_once(house, "waits", after_s=0.1))
    assert slow.status == second.status == 200


def test_a_client_that_leaves_while_its_call_waits_wants_nothing_any_more(house: House) -> None:
    house.simulator.script(Behaviour(tokens=10, gap_ms=150), session="leaves", n=1)
    asyncio.run(leaving(house))
    records = records_of(house.gateway.directory / "fastgate-data" / "journal")
    gone = [record for record in records if record.session == "leaves" and record.outcome == "client_gone"]
    assert [(record.error, record.cost_nano) for record in gone] == [("client_gone", 0)]
    assert gone[0].duration_us < 1_000_000, "it did not wait to the end"


async def leaving(house: House) -> None:
    first = asyncio.create_task(post(house.port, body("leaves", 1000, stream=True)))
    await asyncio.sleep(0.2)
    second = asyncio.create_task(post(house.port, body("leaves", 1000)))
    await asyncio.to_thread(until, lambda: house.wants("leaves") == 1, 1, "it waits")
    second.cancel()
    await asyncio.to_thread(until, lambda: house.wants("leaves") == 0, 0.6, "its want is gone")
    assert (await first).status == 200


async def two_at_once(house: House, session: str, after_s: float) -> tuple[Answer, Answer]:
    """Each of which needs nearly all of the budget."""
    first = asyncio.create_task(post(house.port, body(session, 1000, stream=True)))
    await asyncio.sleep(after_s)
    second = await post(house.port, body(session, 1000))
    return await first, second


def test_the_downgrade_stage_sends_calls_to_the_next_model(house: House) -> None:
    first = house.send("downgrade", model=OPUS)
    assert (first.status, first.headers["x-fastgate-model-used"]) == (200, OPUS)
    deadline = time.monotonic() + 5
    sent = body("downgrade", model=OPUS)
    while (answer := asyncio.run(post(house.port, sent))).headers["x-fastgate-model-used"] == OPUS:
        assert time.monotonic() < deadline, "the stage did not reach the worker"
    assert answer.headers["x-fastgate-model-used"] == SONNET
    assert answer.headers["x-fastgate-routed"] == "budget;downgrade;downgrade"
    assert answer.headers["x-fastgate-budget"].endswith("stage=downgrade")
    assert Decimal(answer.headers["x-fastgate-saved"]) > 0
    received = house.simulator.body(house.upstream("downgrade", 2)[-1])
    assert received == sent.replace(OPUS.encode(), SONNET.encode())
    shown = json.loads(house.gateway.cli("calls", "show", answer.headers["x-fastgate-call-id"], "--json").out)
    assert (shown["model_asked"], shown["model_used"], shown["stages"]) == (OPUS, SONNET, ["downgrade=downgrade"])
    assert shown["saved"] == shown["saved_by"]["downgrade"] == answer.headers["x-fastgate-saved"]
    assert Decimal(shown["cost"]) + Decimal(shown["saved"]) == Decimal(shown["cost_asked"])
    report = house.gateway.cli("spend", "--by", "session", "--session", "downgrade", "--saved").out
    assert f"saved $ {shown['saved']} of " in report
    assert f"downgrade {shown['saved']}, arbitration 0.000000000" in report
    rows = list(csv.DictReader(house.gateway.cli(
        "spend", "--by", "session", "--session", "downgrade", "--saved", "--csv").out.splitlines()))  # fmt: skip
    assert [(row["saved"], row["saved_downgrade"], row["saved_cache"]) for row in rows] == [
        (shown["saved"], shown["saved"], "0.000000000")
    ]


def test_a_turn_with_open_thinking_keeps_its_model(house: House) -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
    use = {"type": "tool_use", "id": "t1", "name": "Read", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "x"}
    messages = [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [thought, use]},
        {"role": "user", "content": [result]},
    ]
    answer = house.send("downgrade", model=OPUS, messages=messages)
    assert answer.headers["x-fastgate-model-used"] == OPUS
    assert answer.headers["x-fastgate-routed"] == "kept;open-thinking"


def test_a_call_that_leaves_a_throttled_model_is_held_and_charged_on_the_budgets_of_the_next(house: House) -> None:
    house.simulator.script(Behaviour(status=529), n=3)
    answer = house.send("throttled", model=SONNET)
    assert (answer.status, answer.headers["x-fastgate-model-used"]) == (200, HAIKU)
    assert answer.headers["x-fastgate-routed"] == f"throttled;{SONNET}"
    show = ("calls", "show", answer.headers["x-fastgate-call-id"], "--json")
    until(lambda: house.gateway.cli(*show).code == 0, 5, "it is recorded")
    shown = house.gateway.cli(*show).json
    assert house.settled("haikus") == int(Decimal(shown["cost"]).scaleb(9)) > 0
    assert house.settled("sonnets", 0) == 0
    house.simulator.unscript()
    house.simulator.script(Behaviour(status=529), n=3)
    answer = house.send("nothing-left", model=SONNET)
    assert (answer.status, answer.error[0]) == (429, "billing_error"), "a cap is a cap"
    assert "no-haiku" in answer.error[1]
    house.simulator.unscript()


def test_under_a_full_ceiling_a_cheaper_model_serves(house: House) -> None:
    answer = house.send("cheaper", model=OPUS)
    assert (answer.status, answer.headers["x-fastgate-model-used"]) == (200, SONNET)
    assert answer.headers["x-fastgate-routed"] == "budget;opus-only;ceiling"


def test_a_soft_budget_takes_no_new_calls_past_its_pause(house: House) -> None:
    deadline = time.monotonic() + 5
    while (answer := house.send("soft")).status == 200:
        assert time.monotonic() < deadline, "the stage did not reach the worker"
    message = refused(answer)
    assert "Budget soft" in message
    assert "paused" in message
    assert house.settled("soft", billed(house.upstream("soft", 1)))


def test_a_client_that_leaves_while_it_waits_leaves_nothing_behind(house: House) -> None:
    async def leave() -> None:
        first = asyncio.create_task(post(house.port, body("waits", 1000, stream=True)))
        await asyncio.sleep(0.05)
        second = asyncio.create_task(post(house.port, body("waits", 1000)))
        await asyncio.sleep(0.05)
        second.cancel()
        await first
        assert (await until_decided(house.port, body("waits", 1000))).status in (200, 429)

    house.simulator.script(Behaviour(tokens=10, gap_ms=30), session="waits", n=1)
    asyncio.run(leave())
    house.settled("waits")


def test_the_counters_are_the_upstreams_log(house: House, tmp_path: Path) -> None:
    everything = [call for call in house.simulator.calls() if call.ended]
    assert house.settled("wide", billed(everything)) > 0


def test_what_failed_for_nothing_is_charged_to_no_budget_of_a_model_that_was_never_called(house: House) -> None:
    wide, _ = house.spent("wide")
    for failures in (
        (Behaviour(status=529), *[Behaviour(cut="rst", cut_bytes=0)] * 6),  # the last of them says nothing of load
        (Behaviour(error_at=0, error_type="overloaded_error"),) * 6,
    ):
        seen = len(house.simulator.calls())
        for failure in failures:
            house.simulator.script(failure, session="nothing-left")
        answer = house.send("nothing-left", model=SONNET, stream=True)
        house.simulator.unscript()
        assert (answer.status, answer.error[0]) == (429, "billing_error")
        assert {call.started.model for call in house.simulator.calls()[seen:]} == {SONNET}
        show = ("calls", "show", answer.headers["x-fastgate-call-id"], "--json")
        until(lambda words=show: house.gateway.cli(*words).code == 0, 5, "it is recorded")
        assert Decimal(house.gateway.cli(*show).json["cost"]) == 0
        assert house.settled("no-haiku", 0) == 0
    assert house.settled("wide", wide) == wide
