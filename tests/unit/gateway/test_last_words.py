"""A call that is told that its worker ends, or whose client has left, asks no other model and sends nothing more."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.micro import call as micro
from fastgate._core.pump import Pump
from fastgate.clock import mono_ns
from fastgate.errors import GatewayError, Kind, draining
from fastgate.gateway import deadlines, pipeline
from fastgate.gateway.rooms import ladder, relay
from fastgate.gateway.upstream import Pool
from tests.support.ways import BODY, OK, PLAIN, SILENCE, TASK, House, answer, house
from tests.unit.gateway.test_adopting import alone

FAILED = answer("529 X")
TURNS = 50
"""Of the loop: more than a call takes to come to where it waits."""


@pytest.mark.parametrize("kind", [Kind.CLIENT_GONE, Kind.DRAINING, Kind.CANCELLED, Kind.TOTAL_TIMEOUT])
async def test_no_other_model_is_asked_for_a_call_that_is_over(monkeypatch: pytest.MonkeyPatch, kind: Kind) -> None:
    """It may have waited for the money of another model, within the exchange that its own had failed in."""
    sent, over = 0, draining()
    over.kind = kind

    async def held(*_: object) -> list[str]:
        return ["a plan"]

    async def carry(*_: object) -> bool:
        nonlocal sent
        sent += 1
        raise over

    monkeypatch.setattr(pipeline, "held", held)
    monkeypatch.setattr(pipeline.relay, "carry", carry)
    monkeypatch.setattr(pipeline.ladder, "descend", lambda *_: True)
    call: Any = SimpleNamespace(
        preferred=(), throttled=True, snapshot=SimpleNamespace(data=SimpleNamespace(throttled=True))
    )
    worker: Any = SimpleNamespace(upstreams=None, flight=None, lending=SimpleNamespace(extend=None))
    with pytest.raises(GatewayError) as told:
        await pipeline.send(call, worker)
    assert (told.value.kind, sent) == (kind, 1)


def end_of_a_drain(of: House) -> None:
    deadlines.look(list(of.worker.calls.values()), mono_ns(), True, True)


def client_leaves(of: House) -> None:
    (call,) = of.worker.calls.values()
    deadlines.look([call], call.start_ns + deadlines.WATCH_AFTER_NS + 1, False, False)
    call.watched.set_result(None)


class Here(micro.Reading):
    """A body that has come: nothing of it can be cancelled."""

    def done(self) -> bool:
        return True

    def cancel(self) -> None:
        pass


async def until(reached: Callable[[], Any]) -> None:
    for _ in range(TURNS):
        if reached():
            return
        await asyncio.sleep(0)
    raise AssertionError("the call did not come to where it waits")


async def told_to_come_again(of: House, ended: asyncio.Future[None], server: micro.Server) -> None:
    """At once, with a record, and nothing is left."""
    await asyncio.wait_for(ended, 5)
    assert (server.status, dict(server.headers)["retry-after"]) == (503, "1")
    assert json.loads(server.body_sent)["error"]["type"] == "overloaded_error"
    record = of.records()[-1]
    assert (record["outcome"], record["error"]) == ("refused", "draining")
    assert of.left() == (0, 0)


@pytest.mark.promise("P-15", bound="who stands in the line of a loop when a drain has to end is told to come again")
@pytest.mark.parametrize("way", [TASK, PLAIN])
def test_a_call_in_the_line_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    async def run() -> None:
        with house(tmp_path, monkeypatch) as of:
            await of.warm()
            monkeypatch.setattr(micro, "Reading", Here)
            turns, went = of.worker.turns, []
            for number in range(TURNS):
                turns.wait(lambda number=number: went.append(number) is None)  # a turn for each
            server = micro.Server(BODY)
            ended, _ = of.begin(way, server, [OK])
            await until(lambda: len(went) + turns.waiting() > TURNS)
            end_of_a_drain(of)
            await told_to_come_again(of, ended, server)
            assert of.script == [OK], "nothing was sent"

    alone(run)


@pytest.mark.promise("P-15", bound="who waits for another attempt when a drain has to end is told to come again")
@pytest.mark.parametrize("way", [TASK, PLAIN])
def test_a_call_between_two_attempts_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    async def run() -> None:
        with house(tmp_path, monkeypatch) as of:
            monkeypatch.setattr(relay, "pause_s", lambda rounds, asked_s: 20.0)
            await of.warm()
            server = micro.Server(BODY)
            ended, _ = of.begin(way, server, [FAILED, OK])
            await until(lambda: any(call.waiting for call in of.worker.calls.values()))
            end_of_a_drain(of)
            await told_to_come_again(of, ended, server)
            assert of.script == [OK]
            assert len(of.records()[-1]["attempts"]) == 1

    alone(run)


def test_a_client_that_leaves_between_two_attempts_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        with house(tmp_path, monkeypatch) as of:
            monkeypatch.setattr(relay, "pause_s", lambda rounds, asked_s: 20.0)
            await of.warm()
            ended, _ = of.begin(TASK, micro.Server(BODY), [FAILED, OK])
            await until(lambda: any(call.waiting for call in of.worker.calls.values()))
            client_leaves(of)
            await asyncio.wait_for(ended, 5)
            assert of.records()[-1]["outcome"] == "client_gone"
            assert (of.script, of.left()) == ([OK], (0, 0))

    alone(run)


def test_a_call_that_waits_for_its_connection_is_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        with house(tmp_path, monkeypatch) as of:
            dial, dialled, go = Pool.dial, asyncio.Event(), asyncio.Event()

            async def slow_dial(pool: Pool) -> Pump:
                dialled.set()
                await go.wait()
                return await dial(pool)

            monkeypatch.setattr(Pool, "dial", slow_dial)
            server = micro.Server(BODY)
            ended, _ = of.begin(TASK, server, [OK])
            await asyncio.wait_for(dialled.wait(), 5)
            end_of_a_drain(of)
            go.set()
            await told_to_come_again(of, ended, server)
            assert of.script == [OK]

    alone(run)


def test_a_call_that_waits_for_more_money_is_not_sent_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two attempts, of which the second may cost more than was held: its pump is that of the first."""

    async def run() -> None:
        with house(tmp_path, monkeypatch) as of:
            await of.warm()
            asked, go = asyncio.Event(), asyncio.Event()

            async def extend(*_: object) -> bool:
                asked.set()
                await go.wait()
                return True

            monkeypatch.setattr(relay, "lacking", lambda call, _: 1 if call.attempts else 0)
            monkeypatch.setattr(of.worker.lending, "extend", extend)
            server = micro.Server(BODY)
            ended, _ = of.begin(TASK, server, [FAILED, OK])
            await asyncio.wait_for(asked.wait(), 5)
            end_of_a_drain(of)
            go.set()
            await told_to_come_again(of, ended, server)
            assert of.script == [OK]

    alone(run)


def test_a_call_that_is_cut_after_it_was_throttled_asks_no_cheaper_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        with house(tmp_path, monkeypatch, throttled=[("claude-opus-4-8", "claude-haiku-4-5")]) as of:
            await of.warm()
            monkeypatch.setattr(ladder, "descend", lambda *_: pytest.fail("it asked another model"))
            ended, _ = of.begin(TASK, micro.Server(BODY), [answer("429 X"), SILENCE, OK])
            await until(lambda: len(of.script) == 1)
            (call,) = of.worker.calls.values()
            assert call.throttled
            end_of_a_drain(of)
            await asyncio.wait_for(ended, 5)
            assert of.script == [OK]
            record = of.records()[-1]
            assert (record["outcome"], len(record["attempts"])) == ("cancelled", 2)
            assert record["cost_nano"] > 0, "the provider may have worked on it"

    alone(run)
