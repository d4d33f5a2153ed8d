"""`/v1/fastgate/me`: what a key may still spend, equal to what the upstream's own log says was spent; and the line."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fastgate.cli import statusline
from tests.support.admin import admin, ask, message, until
from tests.support.gateway import KEY, Gateway, serving
from tests.support.sim import SimProcess

BUDGETS = """\
budgets:
  - {id: alice-month, level: user, of: alice, period: month, tz: Europe/Berlin, usd: 100}
  - {id: seats, level: team, of: platform, period: week, usd: 50, per_seat: true, stages: [{at: 1, do: pause}]}
  - {id: soft-org, level: org, of: acme, period: total, usd: 1000, mode: soft}
  - {id: five-hours, level: key, of: alice-laptop, period: rolling, rolling_h: 5, usd: 20, models: [opus]}
  - {id: one-session, level: tag, of: "session=*", period: total, usd: 40}
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, upstream: SimProcess) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    with serving(folder, upstream.url, workers=2, budgets=BUDGETS) as running_gateway:
        yield running_gateway


def me(gateway: Gateway, session: str = "") -> dict[str, Any]:
    headers = {"authorization": f"Bearer {KEY}"} | ({"x_claude_code_session_id": session} if session else {})
    status, _, raw = ask(gateway.url, "GET", "/v1/fastgate/me", **headers)
    assert status == 200, raw
    return dict(json.loads(raw))


def budgets(gateway: Gateway, session: str = "") -> dict[str, dict[str, Any]]:
    return {budget["id"]: budget for budget in me(gateway, session)["budgets"]}


def test_every_budget_of_the_key_is_listed_with_limit_ceiling_and_reset(gateway: Gateway) -> None:
    found = budgets(gateway)
    assert set(found) == {"alice-month", "seats", "soft-org", "five-hours"}
    month = found["alice-month"]
    assert (month["limit"], month["ceiling"], month["mode"]) == ("100.000000000", "110.000000000", "hard")
    assert month["resets_at"].endswith(("T22:00:00.000Z", "T23:00:00.000Z"))
    assert (found["seats"]["cell"], found["seats"]["ceiling"]) == ("alice", "50.000000000")
    assert (found["soft-org"]["ceiling"], found["soft-org"]["resets_at"]) == (None, None)
    assert (found["five-hours"]["models"], found["five-hours"]["resets_at"]) == (["opus"], None)
    assert budgets(gateway, "s-1")["one-session"]["cell"] == "s-1"


def test_what_is_spent_is_what_the_calls_cost_and_the_rest_remains(gateway: Gateway) -> None:
    before = budgets(gateway)["alice-month"]
    cost = sum(Decimal(message(gateway, f"call {n}")[1]["x-fastgate-cost"]) for n in range(4))
    assert cost > 0
    spent = Decimal(before["spent"]) + cost

    def settled() -> Any:
        found = budgets(gateway)
        return found if Decimal(found["alice-month"]["spent"]) == spent else None

    found = until(settled, 3, "the calls are charged")
    for name, selected in (("alice-month", True), ("seats", True), ("soft-org", True), ("five-hours", False)):
        assert Decimal(found[name]["spent"]) == (spent if selected else 0), name
    shown = {each["id"]: each for each in admin(gateway, "GET", "/budgets")[1]["items"]}
    assert Decimal(shown["alice-month"]["spent"]) == spent
    assert (shown["seats"]["spent"], shown["five-hours"]["spent"]) == (None, "0.000000000")
    (seat,) = admin(gateway, "GET", "/budgets/seats")[1]["members"]
    assert (seat["member"], Decimal(seat["spent"]), seat["stage"]) == ("alice", spent, "ok")
    assert admin(gateway, "GET", "/budgets/alice-month")[1]["members"] is None
    idle = until(lambda: _idle(budgets(gateway)), 5, "workers give back what they do not use")
    for budget in idle.values():
        top = Decimal(budget["ceiling"] or "1100")
        assert Decimal(budget["remaining"]) == top - Decimal(budget["spent"]) - Decimal(budget["held"])


def _idle(found: dict[str, dict[str, Any]]) -> Any:
    return found if all(Decimal(budget["held"]) == 0 for budget in found.values()) else None


def test_an_increase_and_a_pause_are_told_and_the_status_line_shows_them(gateway: Gateway) -> None:
    environ = {"ANTHROPIC_BASE_URL": gateway.url, "ANTHROPIC_AUTH_TOKEN": KEY, "NO_COLOR": "1"}
    body = {"usd": 5, "until": str(int(time.time()) + 3600), "reason": "release", "approve": True}
    assert admin(gateway, "POST", "/budgets/five-hours/increases", body)[0] in (200, 201)
    until(lambda: all(budgets(gateway)["five-hours"]["increases"] for _ in range(8)), 1, "both workers know of it")
    raised = budgets(gateway)["five-hours"]
    assert (raised["ceiling"], raised["increases"][0]["usd"]) == ("27.000000000", "5.000000000")
    assert statusline.shown(environ, "") == "$27.00 left of $27.00 (five-hours, raised)"
    assert "$44.00 left of $44.00 (this session)" in statusline.shown(environ, "s-2")
    pause = {"level": "team", "of": "platform", "reason": "audit"}
    assert admin(gateway, "POST", "/pauses", pause)[0] in (200, 201)
    until(lambda: all(me(gateway)["pauses"] for _ in range(8)), 1, "both workers know of it")
    told = me(gateway)["pauses"]
    assert (told[0]["level"], told[0]["of"], told[0]["reason"], told[0]["until"]) == ("team", "platform", "audit", None)
    assert statusline.shown(environ, "").startswith("paused: team platform by admin")
    assert admin(gateway, "DELETE", "/pauses?level=team&of=platform")[0] == 200
    until(lambda: not any(me(gateway)["pauses"] for _ in range(8)), 1, "the pause is over")


def test_a_key_without_budgets_has_none(upstream: SimProcess, tmp_path: Path) -> None:
    with serving(tmp_path, upstream.url) as plain:
        answer = me(plain)
    assert answer == {
        "key": "alice-laptop",
        "user": "alice",
        "team": "platform",
        "org": "acme",
        "cost_center": "CC-1001",
        "budgets": [],
        "pauses": [],
    }
