"""A request's `models`: tried in order where the model before fails, priced as served, never seen by a provider."""

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
from fastgate.snapshot import RoutingRow, RuleRow
from tests.support.clouds import bedrock
from tests.support.ladder import HAIKU, OPUS, PRICES, SONNET
from tests.support.plane import CACHE, LIMITS, OTHER_KEY, Answer, Plane, endpoint, key_row
from tests.support.sim import Call, SimProcess, running

BOOK = PriceBook(PRICES)
RETRYING = msgspec.structs.replace(LIMITS, attempts=2, retry_s=10.0, first_byte_s=2.0)
DENIED = "sk-test-carol-0123456789abcdef0123456789"
BEDROCK = f"/model/us.anthropic.{OPUS}/invoke"
VERTEX = f"/v1/projects/p/locations/us-east5/publishers/anthropic/models/{OPUS}"


class House:
    """An Anthropic provider and a Bedrock one in front of one worker."""

    def __init__(self, first: SimProcess, second: SimProcess, plane: Plane) -> None:
        self.first, self.second, self.plane = first, second, plane
        self.seen = 0

    def ask(self, text: str = "hello", **more: Any) -> Answer:
        changes = {"model": OPUS, "models": [SONNET, HAIKU]} | more
        return self.plane.message(f"{text} [[sim:text tokens=30]]", **changes)

    def record(self) -> CallRecord:
        return self.plane.settled(self.seen + 1)[-1]

    def fail(self, behaviour: Behaviour, n: int = 1) -> None:
        self.first.script(behaviour, n=n)
        self.second.script(behaviour, n=n)

    def calls(self) -> list[Call]:
        """What the providers saw, in order."""
        calls = [*self.first.calls(path="*"), *self.second.calls(path="*")]
        return sorted(calls, key=lambda call: call.started.at_ns)


@pytest.fixture(scope="module")
def running_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folders = [tmp_path_factory.mktemp(name) for name in ("a", "b", "plane")]
    with running(folders[0]) as first, running(folders[1], "--dialect", "bedrock") as second:
        plane = Plane(
            folders[2],
            (endpoint(first.url, "a"), bedrock(second.url, "b", api_key="token")),
            limits=RETRYING,
            routing=RoutingRow(models=("alice-*", "bob-*")),
            cache=CACHE,
            ladder={"rules": (RuleRow(to=HAIKU, request_class=("auxiliary",)),)},
        )
        plane.keys.append(key_row(plane.pepper, DENIED, key="carol-laptop", user="carol"))
        plane.publish()
        yield House(first, second, plane.start())
        plane.stop()


@pytest.fixture
def house(running_house: House) -> House:
    running_house.first.fresh()
    running_house.second.fresh()
    running_house.plane.wait_idle()
    running_house.seen = running_house.plane.recorded()
    running_house.plane.forget_failures()
    return running_house


def billed(kind: str, model: str, call: Call) -> int:
    """What the provider's own log says that a call costs, in nano-dollars."""
    usage = call.started.usage
    return BOOK.row(kind, model).cost(Usage.of(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens))


FAILURES = {
    "529": Behaviour(status=529),
    "500": Behaviour(status=500),
    "unknown model": Behaviour(status=404),
    "reset": Behaviour(cut="rst", cut_bytes=0),
    "silent": Behaviour(stall_head_s=5.0),
}


@pytest.mark.promise("P-06", bound="a request that names other models is answered by the first that works")
@pytest.mark.parametrize("how", FAILURES)
@pytest.mark.parametrize("stream", [True, False])
def test_a_model_that_fails_is_followed_by_the_next_that_the_request_names(
    house: House, how: str, stream: bool
) -> None:
    # An unknown model is the first provider's last word; a kept connection that was reset is replaced once.
    house.fail(FAILURES[how], n=1 if how == "unknown model" else 2 if how == "reset" else 1)
    answer = house.ask(f"{how} {stream}", stream=stream)
    assert answer.status == 200, answer.body
    record = house.record()
    assert answer.headers["x-fastgate-model-used"] == record.model_used == SONNET
    assert record.model_asked == OPUS
    assert record.ladder is not None
    assert (record.ladder.rule, record.ladder.asked, record.ladder.to, record.ladder.kept) == (-4, OPUS, SONNET, "")
    why = "throttled" if how == "529" else "failed"
    assert answer.headers["x-fastgate-routed"].startswith(f"preferred;{OPUS};{why}")
    assert record.routed == answer.headers["x-fastgate-routed"]
    served = house.calls()[-1]
    kind = {"a": "anthropic", "b": "bedrock"}[record.endpoint]
    assert record.attempts[-1].cost_nano == billed(kind, SONNET, served), "priced as served, by the provider's log"
    assert record.cost_nano == sum(attempt.cost_nano for attempt in record.attempts)
    if not stream:
        assert answer.headers["x-fastgate-cost"] == format_usd(record.cost_nano)


def test_no_provider_sees_the_field_and_no_other_byte_is_another(house: House) -> None:
    house.fail(Behaviour(status=529))
    assert house.ask("bytes").status == 200
    for provider in (house.first, house.second):
        for call in provider.calls(path="*"):
            sent = json.loads(provider.body(call))
            assert "models" not in sent
            assert sent["messages"][-1]["content"].startswith("bytes")
    assert house.ask("bytes again", model=SONNET, models=[]).status == 200
    assert "models" not in json.loads(house.first.body(house.first.calls()[-1]))


def test_each_is_tried_in_order_and_the_last_ones_refusal_comes_as_it_came(house: House) -> None:
    house.fail(Behaviour(status=500), n=40)
    answer = house.ask("all fail")
    assert (answer.status, answer.json()["error"]["type"]) == (500, "api_error")
    models = [attempt.model for attempt in house.record().attempts]
    assert list(dict.fromkeys(models)) == [OPUS, SONNET, HAIKU]
    assert models.count(OPUS) == models.count(SONNET) == 2, "one round over the endpoints each"


def test_what_is_the_requests_own_fault_changes_no_model(house: House) -> None:
    house.first.script(Behaviour(status=400), n=1)
    answer = house.ask("bad request")
    assert (answer.status, house.record().model_used) == (400, OPUS)
    assert "x-fastgate-routed" not in answer.headers


def test_a_model_whose_endpoints_are_all_open_is_passed_over(house: House) -> None:
    before = house.plane.endpoints
    first, second = (msgspec.structs.replace(each, models_only=True) for each in before)
    house.plane.endpoints = (
        msgspec.structs.replace(first, models={OPUS: OPUS}),
        msgspec.structs.replace(second, models={SONNET: f"us.anthropic.{SONNET}"}),
    )
    house.plane.publish()
    house.plane.wait_adopted()
    try:
        house.first.script(Behaviour(status=529, retry_after="30"), n=1)  # it asks to be left alone
        answers = [house.ask(f"open {turn}", models=[SONNET]) for turn in range(2)]
        assert [answer.status for answer in answers] == [200, 200]
        assert [answer.headers["x-fastgate-model-used"] for answer in answers] == [SONNET, SONNET]
        told = [answer.headers["x-fastgate-routed"].partition(";left-out")[0] for answer in answers]
        assert told == [f"preferred;{OPUS};throttled", f"preferred;{OPUS};unhealthy"]
        assert len(house.first.calls()) == 1, "the second call spares it"
        house.plane.forget_failures()
        assert house.ask("open no more", models=[SONNET]).headers["x-fastgate-model-used"] == OPUS
    finally:
        house.plane.endpoints = before
        house.plane.publish()
        house.plane.wait_adopted()


def test_who_may_not_name_models_is_told_so(house: House) -> None:
    answer = house.ask(key=DENIED)
    assert (answer.status, answer.json()["error"]["type"]) == (400, "policy_blocked")
    assert "carol-laptop may not name models" in answer.json()["error"]["message"]
    assert house.calls() == [], "nothing is sent: it would be a way around the key's models"


@pytest.mark.parametrize(
    ("models", "type_", "part"),
    [
        ([SONNET, "gpt-9"], "policy_blocked", "gpt-9"),
        ("claude-sonnet-5-5", "invalid_request_error", "list of model ids"),
        ([SONNET, 7], "invalid_request_error", "list of model ids"),
        (None, "invalid_request_error", "list of model ids"),
        ([f"{SONNET}\r\n"], "invalid_request_error", "models: each must be printable"),
        (["é" + SONNET], "invalid_request_error", "models: each must be printable"),
        (["x" * 257], "invalid_request_error", "at most 256"),
        ([f"{SONNET}-{n}" for n in range(9)], "invalid_request_error", "more than 8"),
    ],
)
def test_what_is_no_list_of_models_that_are_served_is_refused(house: House, models: Any, type_: str, part: str) -> None:
    answer = house.ask(models=models)
    assert (answer.status, answer.json()["error"]["type"]) == (400, type_)
    assert part in answer.json()["error"]["message"]
    assert house.calls() == []


def test_a_models_of_the_key_bind_each_that_is_named(house: House) -> None:
    answer = house.ask(key=OTHER_KEY, model=HAIKU, models=[SONNET])
    assert (answer.status, answer.json()["error"]["type"]) == (400, "policy_blocked")
    assert SONNET in answer.json()["error"]["message"]
    assert house.ask(key=OTHER_KEY, model=HAIKU, models=[HAIKU]).headers["x-fastgate-model-used"] == HAIKU


def test_a_rule_that_moves_a_call_has_the_last_word(house: House) -> None:
    house.fail(Behaviour(status=500), n=40)
    answer = house.ask("a title", headers={"x_claude_code_request_class": "auxiliary"})
    assert answer.status == 500
    assert {attempt.model for attempt in house.record().attempts} == {HAIKU}, "never back to a dearer one"


def test_an_answer_of_another_model_is_not_kept_for_the_one_asked_for(house: House) -> None:
    house.fail(Behaviour(status=529))
    assert house.ask("cached?").headers["x-fastgate-model-used"] == SONNET
    house.plane.forget_failures()
    again = house.ask("cached?")
    assert (again.headers["x-fastgate-cache"], again.headers["x-fastgate-model-used"]) == ("miss", OPUS)
    third = house.ask("cached?", models=[HAIKU])
    assert (third.headers["x-fastgate-cache"], third.headers["x-fastgate-model-used"]) == ("hit", OPUS)


@pytest.mark.parametrize("front", ["bedrock", "vertex"])
def test_fronts_take_it_too_by_their_own_names(house: House, front: str) -> None:
    house.fail(Behaviour(status=529))
    names = {"bedrock": [f"us.anthropic.{SONNET}-v1:0"], "vertex": [SONNET]}
    version = {"bedrock": "bedrock-2023-05-31", "vertex": "vertex-2023-10-16"}
    sent = {
        "anthropic_version": version[front],
        "max_tokens": 100,
        "models": names[front],
        "messages": [{"role": "user", "content": f"{front} [[sim:text tokens=30]]"}],
    }
    path = BEDROCK if front == "bedrock" else f"{VERTEX}:rawPredict"
    answer = house.plane.request("POST", path, sent, authorization="Bearer sk-test-alice-0123456789abcdef0123456789")
    assert answer.status == 200, answer.body
    assert house.record().model_used == SONNET
    for provider in (house.first, house.second):
        assert all("models" not in json.loads(provider.body(call)) for call in provider.calls(path="*"))


def test_counting_tokens_is_for_the_model_asked_for(house: House) -> None:
    sent = {"model": OPUS, "models": [SONNET], "messages": [{"role": "user", "content": "count"}]}
    answer = house.plane.request(
        "POST", "/v1/messages/count_tokens", sent, x_api_key="sk-test-alice-0123456789abcdef0123456789"
    )
    assert answer.status == 200
    (call,) = house.calls()
    provider = house.first if house.first.calls(path="*") else house.second
    assert "models" not in json.loads(provider.body(call))
