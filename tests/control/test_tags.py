"""Tags that a client sets for its calls: budgets, pauses and reports see them, where they are his to set."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from fastgate.cli import statusline
from tests.support.admin import admin, ask, message, until
from tests.support.command import invoke
from tests.support.gateway import KEY, Gateway, serving
from tests.support.sim import SimProcess

BUDGETS = """\
budgets:
  - {id: blue, level: tag, of: "experiment=blue", period: total, usd: 0.00001, stages: [{at: 1, do: pause}]}
  - {id: each, level: tag, of: "experiment=*", period: month, usd: 100}
  - {id: closed, level: tag, of: "secret=x", period: month, usd: 0.00001, stages: [{at: 1, do: pause}]}
"""
TAG = "x_fastgate_tag_experiment"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, upstream: SimProcess) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    with serving(folder, upstream.url, workers=2, budgets=BUDGETS) as running_gateway:
        text = (folder / "directory.yaml").read_text()
        opened = text.replace("org: acme, cost", "org: acme, open_tags: [experiment], cost")
        assert opened != text
        (folder / "directory.yaml").write_text(opened)
        assert admin(running_gateway, "POST", "/reload")[0] == 200
        refused = [400] * 20  # in a row, so that both workers know it
        until(
            lambda: [message(running_gateway, **{TAG: "a b\tc"})[0] for _ in refused] == refused, 5, "the tag is open"
        )
        yield running_gateway


def mine(gateway: Gateway, **headers: str) -> dict[str, dict[str, Any]]:
    status, _, raw = ask(gateway.url, "GET", "/v1/fastgate/me", authorization=f"Bearer {KEY}", **headers)
    assert status == 200
    return {budget["id"]: budget for budget in json.loads(raw)["budgets"]}


def test_a_budget_of_a_tag_binds_who_sets_it_and_nobody_else(gateway: Gateway, upstream: SimProcess) -> None:
    seen = len(upstream.settled(0))
    status, headers, raw = message(gateway, **{TAG: "blue"})
    assert status == 429
    assert headers["x-should-retry"] == "false"
    assert "Budget blue (tag experiment=blue) is exhausted" in json.loads(raw)["error"]["message"]
    for value in ("red", "red", "a b"):
        status, headers, raw = message(gateway, **{TAG: value})
        assert status == 200, raw
        assert headers.get("x-fastgate-budget", "").startswith("each;"), value
    assert "x-fastgate-budget" not in message(gateway)[1]
    assert message(gateway, x_fastgate_tag_secret="x")[0] == 200, "a tag that is not open is not the client's to set"
    calls = upstream.settled(seen + 5)[seen:]
    assert not any("tag" in name for call in calls for name, _ in call.started.headers), "it is never forwarded"


def test_reports_and_the_budget_agree_on_what_a_tag_has_spent(gateway: Gateway) -> None:
    cost = Decimal(message(gateway, **{TAG: "sum"})[1]["x-fastgate-cost"])
    cost += Decimal(message(gateway, **{TAG: "sum"})[1]["x-fastgate-cost"])

    def spent() -> Any:
        members = {one["member"]: one for one in admin(gateway, "GET", "/budgets/each")[1]["members"]}
        return "sum" in members and Decimal(members["sum"]["spent"]) == cost

    until(spent, 5, "it is charged")
    rows = gateway.cli("spend", "--by", "tag:experiment", "--json").json["items"]
    assert {row["tag:experiment"]: Decimal(row["cost"]) for row in rows}["sum"] == cost
    listed = gateway.cli("calls", "list", "--tag", "experiment=sum", "--json").json["items"]
    assert [call["tags"] for call in listed] == [{"experiment": "sum"}] * 2


def test_who_sets_a_tag_sees_its_budget_and_may_ask_for_more_of_it(gateway: Gateway) -> None:
    assert set(mine(gateway)) == set()
    assert set(mine(gateway, **{TAG: "blue"})) == {"blue", "each"}
    env = {"ANTHROPIC_BASE_URL": gateway.url, "ANTHROPIC_AUTH_TOKEN": KEY, "NO_COLOR": "1"}
    words = ("budgets", "ask", "blue", "--usd", "1", "--until", "1h", "--reason", "an experiment", "--json")
    assert invoke(*words, env=env).code == 1
    env["ANTHROPIC_CUSTOM_HEADERS"] = "x-fastgate-tag-experiment: blue"
    assert "(blue" in statusline.shown(env, "")
    done = invoke(*words, env=env)
    assert done.code == 0, done.err
    assert admin(gateway, "POST", f"/increases/{done.json['id']}/approve")[0] in (200, 404)
    until(lambda: message(gateway, **{TAG: "blue"})[0] == 200, 5, "it is granted")


def test_a_pause_of_a_tag_stops_who_sets_it(gateway: Gateway) -> None:
    assert gateway.cli("pause", "tag", "experiment=red", "--reason", "loops").code == 0
    until(lambda: message(gateway, **{TAG: "red"})[0] == 429, 2, "it is paused")
    assert message(gateway, **{TAG: "other"})[0] == 200
    assert gateway.cli("resume", "tag", "experiment=red").code == 0
    until(lambda: message(gateway, **{TAG: "red"})[0] == 200, 2, "it goes on")


@pytest.mark.parametrize("value", ["", "x" * 129])
def test_what_no_tag_holds_is_told(gateway: Gateway, value: str) -> None:
    status, _, raw = message(gateway, **{TAG: value})
    error = json.loads(raw)["error"]
    assert (status, error["type"]) == (400, "invalid_request_error")
    assert error["message"].startswith("x-fastgate-tag-experiment: must be 1 to 128 printable characters")
