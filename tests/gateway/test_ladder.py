"""Another model than the one asked for, over a real data plane: by rule, and where the one asked for is throttled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from fastgate._core.money import format_usd
from fastgate._core.usage import Usage
from fastgate.prices.book import PriceBook
from fastgate.record import CallRecord
from fastgate.sim.behaviour import Behaviour
from fastgate.snapshot import RuleRow
from tests.support.ladder import CASCADE, HAIKU, OPUS, PRICES, SONNET
from tests.support.plane import LIMITS, OTHER_KEY, Answer, Plane, endpoint
from tests.support.sim import SimProcess, running

BOOK = PriceBook(PRICES)
RULES = (
    RuleRow(to=HAIKU, request_class=("auxiliary",)),
    RuleRow(to=SONNET, bounded_edit=True),
    RuleRow(to=HAIKU, model=SONNET, tools=True),
)
RETRYING = msgspec.structs.replace(LIMITS, attempts=2, retry_s=10.0, first_byte_s=2.0)


class House:
    """Two providers in front of one worker."""

    def __init__(self, first: SimProcess, second: SimProcess, plane: Plane) -> None:
        self.first, self.second, self.plane = first, second, plane
        self.seen = 0

    def ask(self, text: str = "hello", **more: Any) -> Answer:
        return self.plane.message(f"{text} [[sim:text tokens=30]]", **{"model": OPUS} | more)

    def record(self) -> CallRecord:
        return self.plane.settled(self.seen + 1)[-1]

    def script(self, behaviour: Behaviour, n: int) -> None:
        self.first.script(behaviour, n=n)
        self.second.script(behaviour, n=n)

    def models(self) -> list[str]:
        """What the providers were asked for, in order."""
        calls = sorted([*self.first.calls(), *self.second.calls()], key=lambda call: call.started.at_ns)
        return [call.started.model for call in calls]


@pytest.fixture(scope="module")
def running_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with running(tmp_path_factory.mktemp("a")) as first, running(tmp_path_factory.mktemp("b")) as second:
        plane = Plane(
            tmp_path_factory.mktemp("plane"), (endpoint(first.url, "a"), endpoint(second.url, "b")), limits=RETRYING,
            ladder={"rules": RULES, "throttled": CASCADE},
        ).start()  # fmt: skip
        yield House(first, second, plane)
        plane.stop()


@pytest.fixture
def house(running_house: House) -> House:
    running_house.first.fresh()
    running_house.second.fresh()
    running_house.plane.wait_idle()
    running_house.seen = running_house.plane.recorded()
    running_house.plane.forget_failures()
    return running_house


def test_auxiliary_calls_are_pinned_to_the_cheapest_model(house: House) -> None:
    answer = house.ask("a title", headers={"x_claude_code_request_class": "auxiliary"})
    assert (answer.headers["x-fastgate-model-used"], answer.headers["x-fastgate-routed"]) == (HAIKU, "rule;1")
    record = house.record()
    (call,) = house.first.calls()
    assert json.loads(house.first.body(call))["model"] == HAIKU
    used = Usage.of(input_tokens=record.usage.input_tokens, output_tokens=record.usage.output_tokens)
    assert record.cost_nano == BOOK.row("anthropic", HAIKU).cost(used)
    assert record.cost_asked_nano == BOOK.row("anthropic", OPUS).cost(used)
    assert record.saved_downgrade_nano == record.cost_asked_nano - record.cost_nano > 0
    assert answer.headers["x-fastgate-saved"] == format_usd(record.saved_nano)
    assert (record.model_asked, record.model_used) == (OPUS, HAIKU)
    assert record.ladder is not None
    assert (record.ladder.rule, record.ladder.kept) == (0, "")
    assert record.ladder.move_nano <= record.ladder.stay_nano


def test_only_what_a_rule_is_about_is_moved(house: House) -> None:
    tools = [{"name": "Read", "description": "reads", "input_schema": {"type": "object"}}]
    answers = [
        house.ask("why is the build red?"),
        house.ask("rename `fetchUser` to `loadUser` in src/api/user.ts"),
        house.ask("hello", model=SONNET, tools=tools),
        house.ask("hello", model=SONNET),
    ]
    assert [answer.headers["x-fastgate-model-used"] for answer in answers] == [OPUS, SONNET, HAIKU, SONNET]
    assert [answer.headers.get("x-fastgate-routed") for answer in answers] == [None, "rule;2", "rule;3", None]


def test_a_key_that_may_not_use_the_target_stays(house: House) -> None:
    answer = house.ask("a title", key=OTHER_KEY, model=HAIKU, headers={"x_claude_code_request_class": "auxiliary"})
    assert (answer.status, answer.headers.get("x-fastgate-routed")) == (200, None)
    answer = house.ask("rename `a_b` to `b_a` in x.py", key=OTHER_KEY, model=HAIKU)
    assert answer.headers["x-fastgate-routed"] == "kept;not-allowed"
    assert answer.headers["x-fastgate-model-used"] == HAIKU


THROTTLES = {
    "529": Behaviour(status=529),
    "429": Behaviour(status=429, retry_after="0"),
    "overloaded at once": Behaviour(error_at=0, error_type="overloaded_error"),
    "overloaded after message_start": Behaviour(error_at=1, error_type="overloaded_error"),
}


@pytest.mark.promise("P-06", bound="a model throttled at every endpoint is left for the next of the cascade")
@pytest.mark.parametrize("how", THROTTLES)
@pytest.mark.parametrize("stream", [True, False])
def test_a_throttled_model_is_left_once_its_endpoints_are_exhausted(house: House, how: str, stream: bool) -> None:
    if "overloaded" in how and not stream:
        return
    house.script(THROTTLES[how], n=1)
    answer = house.ask(stream=stream)
    assert answer.status == 200, answer.body
    assert answer.body.decode().count("message_start") == 2 * stream
    assert house.models() == [OPUS, OPUS, SONNET]
    record = house.record()
    assert answer.headers["x-fastgate-model-used"] == record.model_used == SONNET
    assert answer.headers["x-fastgate-routed"] == record.routed == f"throttled;{OPUS}"
    assert [(attempt.model, attempt.error != "") for attempt in record.attempts] == [
        (OPUS, True), (OPUS, True), (SONNET, False),
    ]  # fmt: skip
    begun = "after" in how
    assert [attempt.cost_nano > 0 for attempt in record.attempts] == [begun, begun, True]
    used = Usage.of(input_tokens=record.usage.input_tokens, output_tokens=record.usage.output_tokens)
    assert record.attempts[-1].cost_nano == BOOK.row("anthropic", SONNET).cost(used)
    assert record.cost_nano == sum(attempt.cost_nano for attempt in record.attempts)
    assert record.ladder is not None and record.ladder.rule == -3


@pytest.mark.parametrize("stream", [True, False])
def test_one_throttled_attempt_before_a_good_answer_moves_nothing(house: House, stream: bool) -> None:
    """The answer that was bought is the client's: it is not thrown away for a cheaper one."""
    house.first.script(Behaviour(status=429), n=1)
    answer = house.ask(stream=stream)
    assert (answer.status, house.models()) == (200, [OPUS, OPUS])
    record = house.record()
    assert (answer.headers["x-fastgate-model-used"], record.model_used) == (OPUS, OPUS)
    assert "throttled" not in record.routed


def test_it_goes_down_to_the_last_model_and_then_says_what_the_provider_said(house: House) -> None:
    house.script(Behaviour(status=529), n=2)
    answer = house.ask()
    assert (answer.status, house.models()) == (200, [OPUS, OPUS, SONNET, SONNET, HAIKU])
    house.script(Behaviour(status=529), n=20)
    answer = house.ask()
    assert (answer.status, answer.json()["error"]["type"]) == (529, "overloaded_error")
    assert house.record().routed == f"throttled;{SONNET}"


def test_other_failures_change_no_model(house: House) -> None:
    house.script(Behaviour(status=500), n=20)
    answer = house.ask()
    assert (answer.status, set(house.models())) == (500, {OPUS})


def test_a_refusal_as_the_first_event_costs_nothing_the_last_as_those_before_it(house: House) -> None:
    house.script(Behaviour(error_at=0, error_type="overloaded_error"), n=20)
    answer = house.ask(stream=True)
    assert answer.status == 529
    assert house.models()[0] == OPUS
    assert house.models()[-1] == HAIKU
    record = house.record()
    assert {attempt.cost_nano for attempt in record.attempts} == {0}
    assert (record.cost_nano, record.usage_state) == (0, "none")
