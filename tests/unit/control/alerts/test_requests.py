"""Increases that are asked for: who decides hears of each once, who asked hears what became of it, incidents end."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import msgspec
import pytest

from fastgate.config_alerts import Alerts
from fastgate.control.alerts.outbox import Receiver
from fastgate.stores.ports import IncreaseView
from fastgate.times import NS
from tests.unit.control.alerts.conftest import ALICE, FALLBACK, NOW_NS, OWNED, ROWS, World, row, until


def increase(**changes: Any) -> IncreaseView:
    fields: dict[str, Any] = {
        "id": "inc-1", "budget": "user-alice", "amount_nano": 50 * 10**9, "not_after_ns": NOW_NS + 3600 * NS,
        "reason": "release <week>", "state": "requested", "requested_by": "key:alice-laptop", "requested_ns": NOW_NS,
        "decided_by": "", "decided_ns": 0,
    }  # fmt: skip
    return IncreaseView(**fields | changes)


@pytest.mark.parametrize(
    ("budget", "cell", "receivers"),
    [("user-alice", "", OWNED), ("seats", "alice", OWNED), ("team-web", "", FALLBACK), ("key-ci", "", FALLBACK)],
)
def test_who_decides_hears_of_an_increase_once_and_who_asked_does_not(
    world: World, budget: str, cell: str, receivers: list[Receiver]
) -> None:
    of = next(row for row in ROWS if row.id == budget)
    for _ in range(2):
        with closing(world.desk()) as desk:
            desk.asked(of, increase(budget=budget, cell=cell))
            until(desk, lambda: not desk.outbox.counts().get("pending"))
            ((_, notice, deliveries),), _ = desk.outbox.page(0, 10)
    assert [delivery.receiver for delivery in deliveries] == receivers
    assert {delivery.state for delivery in deliveries} == {"sent"}
    assert notice.title == f"Budget {budget}{' of alice' if cell else ''}: $ 50.00 more is asked for"
    assert dict(notice.facts)["To grant it"] == "fastgate budgets approve inc-1"


def test_a_sweep_tells_what_waits_and_ends_incidents_of_what_waits_no_more(world: World) -> None:
    settings = Alerts(channels=world.settings.channels, fallback=("pagerduty",), cooldown_s=0)
    with closing(world._replace(settings=settings).desk()) as desk:
        one, other = increase(budget="team-web"), increase(id="inc-2", budget="team-web")

        def swept(*views: IncreaseView, before_ns: int = NOW_NS + NS) -> list[str]:
            seen = len(world.vendor.at("/v2/enqueue"))
            desk.waiting(views, before_ns)
            desk.step()
            events = [request.json for request in world.vendor.at("/v2/enqueue")[seen:]]
            return [f"{event['event_action']} {event['dedup_key'].split(':')[1]}" for event in events]

        assert swept() == []
        assert not desk.in_use
        desk.asked(row("team", "web"), one)
        assert swept(one, other, increase(id="inc-3", budget="a-budget-that-is-gone")) == [
            "trigger inc-1",
            "trigger inc-2",
        ]
        assert swept(one, other) == []
        assert swept(other, before_ns=NOW_NS) == [], "it was asked for after the look began"
        assert swept(other) == ["resolve inc-1"]
        assert swept() == ["resolve inc-2"]
        assert swept() == []


@pytest.mark.parametrize(
    ("state", "told"), [("approved", "is granted"), ("denied", "is refused"), ("ended", "has ended")]
)
def test_who_asked_with_a_key_hears_what_became_of_it(world: World, state: Any, told: str) -> None:
    view = increase(state=state, decided_by="boss", decided_ns=NOW_NS)
    with closing(world.desk()) as desk:
        for key in ("", "ci", "gone"):  # asked by an operator; a key that no person is behind; one that is no more
            desk.decided(msgspec.structs.replace(view, key_id=key))
        assert not desk.in_use or desk.outbox.page(0, 10)[0] == []
        for _ in range(2):
            desk.decided(msgspec.structs.replace(view, key_id="alice-laptop"))
        ((_, notice, deliveries),), _ = desk.outbox.page(0, 10)
        until(desk, lambda: not desk.outbox.counts().get("pending"))
    assert [delivery.receiver for delivery in deliveries] == ALICE
    assert notice.title == f"Budget user-alice: $ 50.00 more {told}"
    assert "boss" in notice.text


def test_an_incident_of_a_question_ends_when_it_is_decided(world: World) -> None:
    settings = Alerts(channels=world.settings.channels, fallback=("pagerduty",), cooldown_s=0)
    with closing(world._replace(settings=settings).desk()) as desk:
        desk.asked(row("team", "web"), increase(budget="team-web"))
        desk.step()
        for _ in range(2):
            desk.decided(increase(state="denied", decided_by="boss", decided_ns=NOW_NS + NS))
            desk.decided(increase(id="inc-2", state="approved", decided_ns=NOW_NS))
            desk.step()
    events = [request.json for request in world.vendor.at("/v2/enqueue")]
    assert [event["event_action"] for event in events] == ["trigger", "resolve"]
    assert len({event["dedup_key"] for event in events}) == 1
