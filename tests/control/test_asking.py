"""A developer asks for more with his own key, somebody decides, and every side sees it: over real processes."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil
import pytest

from fastgate.cli import statusline
from tests.support.admin import admin, ask, until
from tests.support.command import invoke
from tests.support.gateway import KEY, Gateway, serving
from tests.support.sim import SimProcess

BACK_S = 60.0
"""The supervisor's pause before it starts a control plane again doubles with each death, up to 10 s."""

BUDGETS = """\
budgets:
  - {id: alice-month, level: user, of: alice, period: month, usd: 100}
  - id: seats
    level: team
    of: platform
    period: week
    usd: 0.00001
    per_seat: true
    stages: [{at: 1, do: pause}]
  - {id: one-session, level: tag, of: "session=*", period: total, usd: 40}
  - {id: of-bob, level: tag, of: "project=bobs", period: month, usd: 7}
"""


@pytest.fixture
def gateway(tmp_path: Path, upstream: SimProcess) -> Iterator[Gateway]:
    with serving(tmp_path, upstream.url, workers=2, budgets=BUDGETS) as running_gateway:
        yield running_gateway


def question(**fields: Any) -> dict[str, Any]:
    until_s = str(int(time.time()) + 3600)
    return {"budget": "seats", "usd": "5", "until": until_s, "reason": "release week"} | fields


def asked(gateway: Gateway, body: Any = None, **headers: str) -> tuple[int, Any]:
    data = json.dumps(question() if body is None else body).encode()
    headers = headers or {"authorization": f"Bearer {KEY}"}
    status, _, raw = ask(gateway.url, "POST", "/v1/fastgate/increases", data, **headers)
    return status, json.loads(raw)


def mine(gateway: Gateway, budget: str = "seats") -> dict[str, Any]:
    raw = ask(gateway.url, "GET", "/v1/fastgate/me", authorization=f"Bearer {KEY}")[2]
    return {each["id"]: each for each in json.loads(raw)["budgets"]}[budget]


def call(gateway: Gateway) -> tuple[int, str]:
    body = {"model": "claude-opus-4-5", "max_tokens": 64, "messages": [{"role": "user", "content": "hello"}]}
    status, _, raw = ask(gateway.url, "POST", "/v1/messages", json.dumps(body).encode(), x_api_key=KEY)
    return status, raw.decode()


def test_from_the_question_to_the_money_and_back(gateway: Gateway) -> None:
    environ = {"ANTHROPIC_BASE_URL": gateway.url, "ANTHROPIC_AUTH_TOKEN": KEY, "NO_COLOR": "1"}
    status, told = call(gateway)
    assert status == 429
    assert "fastgate budgets ask seats" in told
    status, made = asked(gateway)
    assert (status, made["state"], made["cell"], made["usd"]) == (202, "requested", "alice", "5.000000000")
    assert "$5.00 asked for" in statusline.shown(environ, "")
    assert f"Your request {made['id']} for $5.00 more waits for" in call(gateway)[1]
    waiting = admin(gateway, "GET", "/increases?standing=requested")[1]["items"]
    assert [(each["id"], each["requested_by"], each["cell"]) for each in waiting] == [
        (made["id"], "key:alice-laptop", "alice")
    ]
    assert mine(gateway)["requests"][0]["state"] == "requested"
    assert admin(gateway, "POST", f"/increases/{made['id']}/approve")[0] == 200
    until(lambda: all(mine(gateway)["increases"] for _ in range(8)), 1, "both workers know of it")
    # Eight answers in a row may have been of one worker.
    seat = until(lambda: (found := mine(gateway))["increases"] and found, 1, "the worker that is asked now knows of it")
    assert (seat["ceiling"], seat["requests"][0]["state"]) == ("5.000010000", "approved")
    until(lambda: call(gateway)[0] == 200, 3, "a worker's account takes it up at its next look")
    spent = until(lambda: Decimal(mine(gateway)["spent"]) or None, 3, "the call is charged")
    assert spent > Decimal("0.00001")
    (member,) = admin(gateway, "GET", "/budgets/seats")[1]["members"]
    assert (member["member"], member["ceiling"]) == ("alice", "5.000010000")
    assert admin(gateway, "POST", f"/increases/{made['id']}/end")[0] == 200
    until(lambda: call(gateway)[0] == 429, 3, "it has ended")
    actions = [
        (event["actor"], event["action"])
        for event in admin(gateway, "GET", "/audit?limit=1000")[1]["items"]
        if event["kind"] == "increase" and event["id"] == made["id"]
    ]
    assert actions[0] == ("key:alice-laptop", "request")
    assert [action for _, action in actions] == ["request", "approve", "end"]


def test_the_command_asks_with_the_developers_own_key(gateway: Gateway) -> None:
    env = {"ANTHROPIC_BASE_URL": gateway.url, "ANTHROPIC_AUTH_TOKEN": KEY}
    words = ("budgets", "ask", "alice-month", "--usd", "2.5", "--until", "2h", "--reason", "a demo", "--json")
    done = invoke(*words, env=env)
    assert done.code == 0, done.error
    assert (done.json["usd"], done.json["cell"], done.json["state"]) == ("2.500000000", None, "requested")
    refused = invoke("budgets", "ask", "of-bob", *words[3:], env=env)
    assert (refused.code, refused.error["message"][:34]) == (1, "No budget of that name binds this ")
    wrong = invoke("budgets", "ask", "alice-month", "--usd", "0", *words[5:], env=env)
    assert (wrong.code, "must be more than 0" in wrong.error["message"]) == (2, True)


@pytest.mark.parametrize(
    ("fields", "status", "told"),
    [
        ({"budget": "of-bob"}, 404, "No budget of that name binds this key"),
        ({"budget": "none"}, 404, "No budget of that name binds this key"),
        ({"usd": "0"}, 400, "usd: must be more than 0"),
        ({"usd": "NaN"}, 400, "usd: must be a number"),
        ({"usd": "1.0000000001"}, 400, "usd: has more than 9 decimal places"),
        ({"until": "1"}, 400, "until: an increase must end in the future"),
        ({"until": "soon"}, 400, "until: 'soon' is no moment"),
        ({"reason": " "}, 400, "reason: a reason is needed"),
        ({"more": 1}, 400, "The question cannot be read"),
        ({"reason": "x" * 5000}, 413, ""),
    ],
)
def test_a_wrong_question_is_told_what_is_wrong(shared: Gateway, fields: Any, status: int, told: str) -> None:
    found, answer = asked(shared, question(**fields))
    assert (found, answer["error"]["message"].startswith(told)) == (status, True), answer
    assert admin(shared, "GET", "/increases")[1]["items"] == []


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, upstream: SimProcess) -> Iterator[Gateway]:
    with serving(tmp_path_factory.mktemp("shared"), upstream.url, budgets=BUDGETS) as running_gateway:
        yield running_gateway


def test_without_a_key_nothing_is_asked(shared: Gateway) -> None:
    assert asked(shared, None, x_api_key="nobody")[0] == 401


def test_a_key_cannot_flood(gateway: Gateway) -> None:
    answers = [asked(gateway)[0] for _ in range(7)]
    assert answers == [202] * 5 + [429] * 2
    assert ask(gateway.url, "GET", "/v1/fastgate/me", authorization=f"Bearer {KEY}")[0] == 200


@pytest.mark.timeout(240)
def test_what_was_acknowledged_outlives_the_control_plane(gateway: Gateway) -> None:
    """Killed again and again while questions come: each that was acknowledged is there once."""
    ids = []
    for _ in range(4):
        (control,) = [
            child for child in psutil.Process(gateway.process.pid).children() if "fastgate.control" in child.cmdline()
        ]
        control.kill()
        status, made = asked(gateway)
        assert status == 202
        ids.append(made["id"])

        def back() -> Any:
            try:
                status, answer = admin(gateway, "GET", "/increases?standing=requested")
                assert status == 200, (answer, gateway.log_text())
                return answer
            except (OSError, http.client.HTTPException):
                return None

        found = until(back, BACK_S, "the control plane is back")
        assert sorted(each["id"] for each in found["items"]) == sorted(ids), gateway.log_text()
