"""Where calls go, over real workers: sessions stay where their cache is warm, leave for a reason, and stay again."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from fastgate._core.usage import Usage
from fastgate.prices.book import PriceBook
from fastgate.prices.catalog import compile_prices
from fastgate.prices.settings import PriceOverride, PriceSettings
from fastgate.record import CallRecord
from fastgate.routing.replay import replay
from fastgate.sim.behaviour import Behaviour
from fastgate.snapshot import RoutingRow
from tests.support.plane import LIMITS, Answer, Plane, endpoint
from tests.support.sim import Call, SimProcess, running

PRICES = PriceSettings(overrides=[PriceOverride(model="claude-*", kind="foundry", multiply=Decimal("0.8"))])
BOOK = PriceBook(compile_prices(PRICES))
KINDS = {"a": "anthropic", "b": "anthropic", "c": "foundry"}
RETRYING = msgspec.structs.replace(LIMITS, attempts=3, retry_s=5.0)
SYSTEM = [{"type": "text", "text": "You are a coding assistant. " * 300, "cache_control": {"type": "ephemeral"}}]


class Fleet:
    """Three providers behind two workers; `c` is a fifth cheaper than the others."""

    def __init__(self, upstreams: dict[str, SimProcess], plane: Plane) -> None:
        self.upstreams, self.plane = upstreams, plane

    def ask(self, session: str, turn: int = 1, agent: str = "", kind: str = "", **more: Any) -> Answer:
        """Turn number `turn` of a session's conversation, on a connection of its own: any worker may get it."""
        messages = []
        for number in range(turn - 1):
            messages += [{"role": "user", "content": f"step {number}"}, {"role": "assistant", "content": "done"}]
        messages.append({"role": "user", "content": "go on [[sim:text tokens=40]]"})
        user = json.dumps({"device_id": "d", "session_id": session})
        headers = {"x_claude_code_session_id": session} | ({"x_claude_code_agent_id": agent} if agent else {})
        headers |= {"x_claude_code_request_class": kind} if kind else {}
        changes = {"messages": messages, "system": SYSTEM, "metadata": {"user_id": user}}
        answer = self.plane.message("", stream=True, headers=headers, **changes | more)
        self.plane.wait_idle()
        return answer

    def served(self, session: str) -> list[str]:
        """Which provider gave each good answer of a session, in order, by the providers' own logs."""
        return [name for name, _ in self.answered(session)]

    def answered(self, session: str) -> list[tuple[str, Call]]:
        found = [
            (call.started.at_ns, name, call)
            for name, upstream in self.upstreams.items()
            for call in upstream.calls()
            if call.started.session == session and call.started.status == 200
        ]
        return [(name, call) for _, name, call in sorted(found, key=lambda each: each[0])]

    def records(self, session: str) -> list[CallRecord]:
        self.plane.wait_idle()
        return [record for record in self.plane.records() if record.session == session]

    def use(self, **changes: Any) -> None:
        self.plane.routing = RoutingRow(**changes)
        self.plane.publish()
        self.plane.wait_adopted()


@pytest.fixture(scope="module")
def running_fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folders = {name: tmp_path_factory.mktemp(name) for name in KINDS}
    with running(folders["a"]) as a, running(folders["b"]) as b, running(folders["c"]) as c:
        upstreams = {"a": a, "b": b, "c": c}
        endpoints = tuple(endpoint(upstreams[name].url, name, kind=kind) for name, kind in KINDS.items())
        folder = tmp_path_factory.mktemp("plane")
        plane = Plane(folder, endpoints, workers=2, limits=RETRYING, prices=PRICES).start()
        yield Fleet(upstreams, plane)
        plane.stop()


@pytest.fixture
def fleet(running_fleet: Fleet) -> Iterator[Fleet]:
    for upstream in running_fleet.upstreams.values():
        upstream.fresh()
    running_fleet.plane.wait_idle()
    running_fleet.plane.forget_failures()
    yield running_fleet
    if running_fleet.plane.routing != RoutingRow():
        running_fleet.use()


@pytest.fixture
def session() -> str:
    return str(uuid.uuid4())


def billed(name: str, call: Call, model: str = "claude-sonnet-5-5") -> int:
    """What the provider's own log says a call costs there, in nano-dollars."""
    usage = call.started.usage
    return BOOK.row(KINDS[name], model).cost(
        Usage.of(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_write_5m_tokens=usage.cache_write_5m_tokens,
            cache_read_tokens=usage.cache_read_tokens,
        )
    )


def test_a_session_leaves_a_dead_endpoint_and_stays_where_it_went(fleet: Fleet, session: str) -> None:
    first = [fleet.ask(session, turn) for turn in (1, 2)]
    fleet.upstreams["a"].script(Behaviour(status=500), n=1)
    moved = fleet.ask(session, 3)
    after = [fleet.ask(session, turn) for turn in range(4, 9)]  # a is healthy again at once
    assert fleet.served(session) == ["a", "a", *["b"] * 6]
    assert [answer.headers.get("x-fastgate-routed") for answer in first] == [None, None]
    assert moved.headers["x-fastgate-routed"] == "hop;a;failed" and moved.headers["x-fastgate-provider"] == "b"
    assert not [answer for answer in after if "x-fastgate-routed" in answer.headers]
    records = fleet.records(session)
    assert [record.routed for record in records] == ["", "", "hop;a;failed", *[""] * 5]
    assert [record.decision.reason for record in records if record.decision] == ["new", *["home"] * 7]
    for (name, call), record in zip(fleet.answered(session), records, strict=True):
        assert record.cost_nano == billed(name, call)
        assert replay(record.decision) == (record.decision.order, record.decision.reason)  # type: ignore[union-attr]


def test_an_open_endpoint_is_left_without_another_attempt(fleet: Fleet, session: str) -> None:
    assert fleet.ask(session).status == 200
    fleet.upstreams["a"].script(Behaviour(status=429, retry_after="30"), n=1)
    fleet.ask(str(uuid.uuid4()))  # somebody else finds out
    answer = fleet.ask(session, 2)
    assert answer.headers["x-fastgate-routed"] == "hop;a;unhealthy"
    assert len(fleet.records(session)[-1].attempts) == 1
    assert fleet.served(session) == ["a", "b"]


def test_what_is_warm_is_known_to_every_worker_and_after_a_restart(fleet: Fleet, session: str) -> None:
    fleet.upstreams["a"].script(Behaviour(status=529), n=1)
    fleet.ask(session)
    for turn in range(2, 10):
        fleet.ask(session, turn)
    fleet.plane.stop()
    fleet.plane.start()
    for turn in range(10, 13):
        fleet.ask(session, turn)
    assert fleet.served(session) == ["b"] * 12
    records = fleet.records(session)
    workers = {record.id.split("-")[1] for record in records}
    assert len(workers) >= 3  # two of the first run, at least one of the second
    for before, record in pairwise(records[1:]):
        assert record.decision is not None
        usage = before.usage
        warm = {offer.place: offer.warm_tokens for offer in record.decision.offers}
        assert warm == {"a": 0, "b": usage.cache_read_tokens + usage.cache_write_5m_tokens, "c": 0}


def test_a_sub_agent_begins_where_its_session_is_and_has_a_home_of_its_own(fleet: Fleet, session: str) -> None:
    fleet.upstreams["a"].script(Behaviour(status=529), n=1)
    fleet.ask(session)
    fleet.ask(session, agent="a1")
    fleet.upstreams["b"].script(Behaviour(status=529), n=1)
    fleet.ask(session, 2, agent="a1")  # it alone moves
    fleet.ask(session, 2)
    fleet.ask(session, 3, agent="a1")
    assert [(record.agent, record.endpoint) for record in fleet.records(session)] == [
        ("", "b"), ("a1", "b"), ("a1", "a"), ("", "b"), ("a1", "a"),
    ]  # fmt: skip


def test_a_title_that_moves_does_not_move_its_session(fleet: Fleet, session: str) -> None:
    fleet.ask(session)
    fleet.upstreams["a"].script(Behaviour(status=529), n=1)
    fleet.ask(session, kind="auxiliary", system="Name this conversation.")
    fleet.ask(session, 2)
    title, turn = fleet.records(session)[1:]
    assert [title.endpoint, turn.endpoint] == ["b", "a"]
    assert turn.decision is not None
    assert turn.decision.offers[0].warm_tokens > 0, "nor what is known to be warm of it"


def test_cheapest_begins_at_the_cheapest_and_prices_as_the_ledger_charges(fleet: Fleet, session: str) -> None:
    fleet.use(strategy="cheapest")
    for turn in range(1, 6):
        fleet.ask(session, turn)
    assert fleet.served(session) == ["c"] * 5
    for (name, call), record in zip(fleet.answered(session), fleet.records(session), strict=True):
        assert record.cost_nano == billed(name, call)
    last = fleet.records(session)[-1]
    assert last.decision is not None
    expected = next(offer for offer in last.decision.offers if offer.place == "c").price_nano
    assert 0.5 < expected / last.cost_nano < 2.0  # an estimate of tokens, at the very prices


def test_a_warm_session_hops_only_where_that_pays(fleet: Fleet, session: str) -> None:
    fleet.upstreams["c"].script(Behaviour(status=529), n=1)
    fleet.use(strategy="cheapest")
    fleet.ask(session)  # c fails: a is next
    record = fleet.records(session)[0]
    assert record.endpoint == "a"
    for turn in range(2, 6):
        fleet.ask(session, turn)
    decided = [record.decision for record in fleet.records(session)[1:]]
    for decision, name in zip(decided, fleet.served(session)[1:], strict=True):
        assert decision is not None
        turns = decision.state[0]
        whole = {o.place: o.price_nano + (turns - 1) * o.later_nano for o in decision.offers if o.healthy}
        assert whole[name] == min(whole.values())
        assert replay(decision) == (decision.order, decision.reason)
    assert Counter(fleet.served(session)).total() == 5


def test_weighted_shares_out_sessions_and_each_stays(fleet: Fleet) -> None:
    fleet.use(strategy="weighted")
    sessions = [str(uuid.uuid4()) for _ in range(30)]
    for turn in (1, 2):
        for one in sessions:
            fleet.ask(one, turn)
    firsts = Counter(fleet.served(one)[0] for one in sessions)
    assert set(firsts) == {"a", "b", "c"} and min(firsts.values()) >= 2
    assert all(len(set(fleet.served(one))) == 1 for one in sessions)


def test_latency_finds_the_one_that_answers_soonest(fleet: Fleet) -> None:
    fleet.use(strategy="latency")
    fleet.upstreams["a"].script(Behaviour(stall_head_s=0.4), n=0)
    fleet.upstreams["b"].script(Behaviour(stall_head_s=0.2), n=0)
    for _ in range(6):
        fleet.ask(str(uuid.uuid4()))
    one = str(uuid.uuid4())
    fleet.ask(one)
    assert fleet.served(one) == ["c"]


def test_a_call_without_a_session_is_chosen_anew(fleet: Fleet) -> None:
    fleet.upstreams["a"].script(Behaviour(status=500), n=1)
    before = fleet.plane.recorded()
    for _ in range(2):
        fleet.plane.message("hello [[sim:text tokens=4]]")
    fleet.plane.wait_idle()
    fresh = fleet.plane.records()[before:]
    assert [record.endpoint for record in fresh] == ["b", "a"]
    assert [record.routed for record in fresh] == ["", ""]
