"""Another attempt before the first content block: invisible to the client, paid for honestly, told in the record."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from bench.load.ports import free_port
from fastgate._core.money import format_usd
from fastgate._core.usage import Usage
from fastgate.prices.book import PriceBook
from fastgate.prices.catalog import compile_prices
from fastgate.prices.settings import PriceSettings
from fastgate.sim.behaviour import Behaviour
from tests.support.clouds import vertex
from tests.support.plane import LIMITS, Answer, Plane, endpoint
from tests.support.sim import Call, SimProcess, running

BOOK = PriceBook(compile_prices(PriceSettings()))
ROW = BOOK.row("anthropic", "claude-sonnet-5-5")
RETRYING = msgspec.structs.replace(LIMITS, attempts=4, retry_s=20.0, first_byte_s=1.0, idle_s=1.0)

FAULTS = {
    "overloaded": Behaviour(status=529),
    "rate limited": Behaviour(status=429, retry_after="0"),
    "server error": Behaviour(status=500),
    "reset before the head": Behaviour(cut="rst", cut_bytes=0),
    "cut in the head": Behaviour(cut="fin", cut_bytes=40),
    "silent": Behaviour(stall_head_s=5.0),
    "error event at once": Behaviour(error_at=0, error_type="overloaded_error"),
    "error event after message_start": Behaviour(error_at=1, error_type="api_error"),
    "cut after message_start": Behaviour(cut="rst", cut_event=1),
    "clean end without events": Behaviour(cut="clean", cut_bytes=0),
    "silent after message_start": Behaviour(stall_at=1, stall_s=5.0),
}
STREAM_ONLY = {name for name in FAULTS if "event" in name or "message_start" in name}
BILLED_INPUT = {name for name in FAULTS if "after message_start" in name} | {"silent", "clean end without events"}
"""The provider was at work on it: the input is charged, as it stated it or as the bytes say."""


class Pair:
    """Two providers, tried in this order."""

    def __init__(self, first: SimProcess, second: SimProcess, plane: Plane) -> None:
        self.first, self.second, self.plane = first, second, plane
        self.seen = 0

    def ask(self, stream: bool = True, **more: object) -> Answer:
        return self.plane.message("hello [[sim:text tokens=40]]", stream=stream, **more)

    def record(self) -> object:
        return self.plane.settled(self.seen + 1)[-1]


@pytest.fixture(scope="module")
def running_pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with running(tmp_path_factory.mktemp("a")) as first, running(tmp_path_factory.mktemp("b")) as second:
        plane = Plane(
            tmp_path_factory.mktemp("plane"), (endpoint(first.url, "a"), endpoint(second.url, "b")), limits=RETRYING
        ).start()
        yield Pair(first, second, plane)
        plane.stop()


@pytest.fixture
def pair(running_pair: Pair) -> Pair:
    running_pair.first.fresh()
    running_pair.second.fresh()
    running_pair.plane.wait_idle()
    running_pair.seen = running_pair.plane.recorded()
    running_pair.plane.forget_failures()
    return running_pair


@pytest.fixture
def dear_and_cheap(tmp_path: Path) -> Iterator[Pair]:
    """The first endpoint is regional Vertex AI, a tenth dearer than the second."""
    with running(tmp_path / "a", "--dialect", "vertex") as first, running(tmp_path / "b") as second:
        dear = vertex(first.url, "dear")
        plane = Plane(tmp_path / "plane", (dear, endpoint(second.url, "cheap")), limits=RETRYING).start()
        yield Pair(first, second, plane)
        plane.stop()


def test_a_cheaper_endpoint_is_an_arbitration_and_a_dearer_one_costs(dear_and_cheap: Pair) -> None:
    pair = dear_and_cheap
    pair.first.script(Behaviour(status=529), n=1)
    answer = pair.ask(stream=False)
    (record,) = pair.plane.settled(1)
    (call,) = pair.second.calls()
    usage = Usage.of(input_tokens=call.started.usage.input_tokens, output_tokens=call.started.usage.output_tokens)
    dear_nano = BOOK.row("vertex", "claude-sonnet-5-5").cost(usage)
    assert record.endpoint == "cheap"
    assert (record.cost_nano, record.cost_asked_nano) == (priced(call), dear_nano)
    assert record.saved_nano == record.saved_arbitration_nano == dear_nano - priced(call) > 0
    assert answer.headers["x-fastgate-saved"] == format_usd(record.saved_nano)
    pair.plane.endpoints = pair.plane.endpoints[::-1]
    pair.plane.publish()
    pair.plane.wait_adopted()
    pair.second.script(Behaviour(status=529), n=1)
    answer = pair.ask(stream=False)
    record = pair.plane.settled(2)[-1]
    assert record.endpoint == "dear"
    assert record.saved_nano == record.saved_arbitration_nano == record.cost_asked_nano - record.cost_nano < 0
    assert "x-fastgate-saved" not in answer.headers, "what was dearer is in the record, and no saving"


def priced(call: Call) -> int:
    usage = call.started.usage
    return ROW.cost(Usage.of(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens))


@pytest.mark.promise("P-06", bound="every failure before the first content block, streams and whole answers")
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("fault", FAULTS)
def test_the_client_never_sees_an_early_failure(pair: Pair, fault: str, stream: bool) -> None:
    if fault in STREAM_ONLY and not stream:
        return
    pair.first.script(FAULTS[fault], n=2 if "reset before" in fault else 1)  # a kept connection is replaced first
    answer = pair.ask(stream)
    assert answer.status == 200, answer.body
    text = answer.body.decode()
    assert text.count("message_start") == stream * 2  # name and type of the one event
    assert text.count('"type":"error"') == 0
    record = pair.plane.settled(pair.seen + 1)[-1]
    assert (record.outcome, record.error, record.usage_state) == ("ok", "", "exact")
    assert record.usage.output_tokens == 40
    assert len(record.attempts) == 2 and record.attempts[0].error and not record.attempts[1].error
    assert record.cost_nano == sum(attempt.cost_nano for attempt in record.attempts)
    (served,) = pair.second.calls() or pair.first.calls()[-1:]
    assert record.attempts[1].cost_nano == priced(served)
    assert (record.attempts[0].cost_nano > 0) == (fault in BILLED_INPUT)


def test_a_failed_attempt_of_unknown_usage_is_charged_its_bound_where_that_is_configured(tmp_path: Path) -> None:
    limits = msgspec.structs.replace(RETRYING, unknown_usage="bound")
    with running(tmp_path / "a") as first, running(tmp_path / "b") as second:
        endpoints = (endpoint(first.url, "a"), endpoint(second.url, "b"))
        plane = Plane(tmp_path / "plane", endpoints, limits=limits).start()
        try:
            pair = Pair(first, second, plane)
            first.script(FAULTS["error event after message_start"], n=1)
            assert pair.ask(max_tokens=1000).status == 200
            (record,) = plane.settled(1)
            (served,) = second.calls()
            broken, answered = record.attempts
            assert answered.cost_nano == priced(served)
            assert broken.cost_nano >= 1000 * ROW.cost(Usage.of(output_tokens=1)), "as much output as it may have made"
            assert record.cost_nano == broken.cost_nano + answered.cost_nano
            first.script(FAULTS["overloaded"], n=1)
            assert pair.ask(max_tokens=1000).status == 200
            assert plane.settled(2)[-1].attempts[0].cost_nano == 0, "a refusal is not billed, whatever is configured"
        finally:
            plane.stop()


def test_a_lone_endpoint_is_tried_again_after_a_pause(pair: Pair, tmp_path: object) -> None:
    pair.first.script(Behaviour(status=529), n=2)
    pair.second.script(Behaviour(status=500), n=1)
    assert pair.ask().status == 200
    record = pair.plane.settled(pair.seen + 1)[-1]
    assert [attempt.status for attempt in record.attempts] == [529, 500, 529, 200]
    assert record.cost_nano == record.attempts[-1].cost_nano


@pytest.mark.parametrize("wait", ["inf", "nan", "1e308", "-5", "soon"])
def test_no_retry_after_is_taken_at_its_word(pair: Pair, wait: str) -> None:
    pair.first.script(Behaviour(status=529, retry_after=wait), n=1)
    assert pair.ask().status == 200
    record = pair.plane.settled(pair.seen + 1)[-1]
    assert [attempt.status for attempt in record.attempts] == [529, 200]


def test_when_attempts_are_used_up_the_last_refusal_comes_as_it_came(pair: Pair) -> None:
    pair.first.script(Behaviour(status=529), n=9)
    pair.second.script(Behaviour(status=429, message="slow down", retry_after="1"), n=9)
    answer = pair.ask()
    assert answer.status == 429 and answer.json()["error"]["message"] == "slow down"
    assert answer.headers["retry-after"] == "1"
    record = pair.plane.settled(pair.seen + 1)[-1]
    assert [a.status for a in record.attempts] == [529, 429, 529, 429]
    assert (record.outcome, record.error, record.cost_nano) == ("upstream_error", "upstream_status", 0)


@pytest.mark.parametrize("do", [
    Behaviour(status=400, message="prompt is too long"), Behaviour(status=404), Behaviour(status=413),
    Behaviour(status=429, should_retry="false", message="spend limit"),
])  # fmt: skip
def test_what_another_attempt_cannot_mend_is_not_tried_again(pair: Pair, do: Behaviour) -> None:
    pair.first.script(do)
    assert pair.ask().status == do.status
    assert (len(pair.first.calls()), len(pair.second.calls())) == (1, 0)


def test_a_long_retry_after_is_not_waited_for_and_spares_the_endpoint(pair: Pair) -> None:
    pair.first.script(Behaviour(status=429, retry_after="50"), n=9)
    assert pair.ask().status == 200
    assert pair.ask().status == 200
    assert len(pair.first.calls()) == 1  # left alone for as long as it asked
    assert len(pair.second.calls()) == 2


def test_after_the_content_has_begun_nothing_is_tried_again(pair: Pair) -> None:
    pair.second.script(Behaviour(error_at=6, error_type="overloaded_error", gap_ms=20), n=2)
    pair.first.script(Behaviour(error_at=6, error_type="overloaded_error", gap_ms=20), n=2)
    answer = pair.ask()
    assert answer.status == 200 and b"event: error" in answer.body
    assert len(pair.first.calls()) + len(pair.second.calls()) == 1


def test_a_credential_that_one_endpoint_refuses_is_no_end(pair: Pair) -> None:
    pair.first.script(Behaviour(status=401), n=9)
    pair.second.script(Behaviour(status=403), n=1)
    answer = pair.ask()
    assert (answer.status, answer.json()["error"]["type"]) == (502, "api_error")
    assert pair.ask().status == 200


def test_a_dead_endpoint_is_passed_over(pair: Pair) -> None:
    there = pair.plane.endpoints
    try:
        pair.plane.endpoints = (endpoint(f"http://127.0.0.1:{free_port()}", "dead"), *there[1:])
        pair.plane.publish()
        time.sleep(0.3)  # workers look for a new snapshot every 50 ms
        for _ in range(8):
            assert pair.ask().status == 200
    finally:
        pair.plane.endpoints = there
        pair.plane.publish()
    tried = [len(record.attempts) for record in pair.plane.settled(pair.seen + 8)[-8:]]
    assert tried == [2] * 5 + [1] * 3  # five failures open its breaker
