"""Alerts of a running gateway: channels tried by command, and what its operator must hear of arrives by itself."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from fastgate.control import shapes, shapes_alerts
from tests.support.admin import TOKEN, admin, ask, message, until
from tests.support.gateway import KEY, Gateway, serving
from tests.support.mailbox import Mail, Mailbox, mailbox
from tests.support.sim import running
from tests.support.vendors import Services, services

ALERTS = """\
alerts:
  channels:
    - {{name: cord, kind: discord, webhook: "{url}/discord"}}
    - {{name: gone, kind: teams, webhook: "{url}/nowhere"}}
    - {{name: hook, kind: webhook, webhook: "{url}/hook", secret: {secret}}}
    - {{name: mail, kind: email, host: 127.0.0.1, port: {port}, tls: none, sender: gate@acme.example}}
  fallback: [cord]
  operators: [hook]
  users: [mail]
  cooldown_s: 1
"""


@pytest.fixture(scope="module")
def vendor() -> Iterator[Services]:
    with services() as found:
        yield found


@pytest.fixture(scope="module")
def mail() -> Iterator[Mailbox]:
    with mailbox() as found:
        yield found


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, vendor: Services, mail: Mailbox) -> Iterator[Gateway]:
    more = ALERTS.format(url=vendor.url, secret=vendor.secret, port=mail.port)
    with (
        running(tmp_path_factory.mktemp("upstream")) as upstream,
        serving(tmp_path_factory.mktemp("gateway"), upstream.url, more=more) as found,
    ):
        yield found


def good(gateway: Gateway, method: str, path: str, body: Any = None) -> Any:
    status, answer = admin(gateway, method, path, body)
    assert status == 200, answer
    return answer


def test_channels_are_tried_by_command(gateway: Gateway, vendor: Services, mail: Mailbox) -> None:
    done = gateway.cli("alerts", "test", "--json")
    assert done.code == 1, "one of them is gone"
    assert {one["channel"]: one["error"] for one in done.json["items"]} == {
        "cord": "", "gone": 'answered 404: {"error": "no such place"}', "hook": "",
    }  # fmt: skip
    assert gateway.cli("alerts", "test", "cord").code == 0
    assert gateway.cli("alerts", "test", "mail", "--to", "alice@acme.example").code == 0
    assert mail.mails[-1].receivers == ["alice@acme.example"]
    assert gateway.cli("alerts", "test", "nowhere").code == 1
    for words in (("mail",), ("cord", "--to", "alice@acme.example"), ("mail", "--to", "alice")):
        assert gateway.cli("alerts", "test", *words).code == 2
    assert len(gateway.cli("alerts", "channels", "--json").json["items"]) == 4
    events = [event for event in good(gateway, "GET", "/audit?limit=1000")["items"] if event["kind"] == "alert"]
    assert {event["action"] for event in events} == {"test"}
    assert vendor.faults == []


def test_a_provider_that_refuses_our_key_is_told_to_the_operator(gateway: Gateway, vendor: Services) -> None:
    time.sleep(0.1)
    until(lambda: b"watching" in (gateway.directory / "gateway.log").read_bytes(), 30, "the watch has begun")
    status, _, _ = message(gateway, "[[sim:error status=401 error_type=authentication_error]]")
    assert status == 502
    listed = until(lambda: good(gateway, "GET", "/alerts")["items"], 30, "an alert is raised")
    assert [alert["title"] for alert in listed] == ["Endpoint scripted refuses the gateway's credential"]
    until(lambda: good(gateway, "GET", "/alerts")["items"][0]["deliveries"][0]["state"] == "sent", 10, "it is sent")
    assert any("scripted refuses" in request.raw.decode() for request in vendor.at("/hook"))
    listing = msgspec.convert(good(gateway, "GET", "/alerts"), shapes.Page[shapes_alerts.Alert])
    assert listing.items[0].deliveries[0].channel == "hook"
    assert "refuses" in gateway.cli("alerts", "list").out
    assert gateway.cli("alerts", "retry", "--json").json == {"retried": 0}
    assert vendor.faults == []


def test_a_stage_that_is_reached_is_told_to_its_user_and_to_the_owner(gateway: Gateway, mail: Mailbox) -> None:
    budget = {"level": "user", "of": "alice", "period": "day", "usd": "100", "mode": "soft",
              "stages": [{"at": "0.000001", "do": "alert"}]}  # fmt: skip
    assert admin(gateway, "PUT", "/budgets/alice-day", budget)[0] in (200, 201)

    def told() -> set[str]:
        mails = [one for one in mail.mails if "alice-day" in one.message["Subject"]]
        return {one.receivers[0] for one in mails}

    def call_and_look() -> bool:
        message(gateway)
        return told() == {"em@acme.example", "alice@acme.example"}

    until(call_and_look, 30, "both have it")
    for _ in range(5):
        message(gateway)
    time.sleep(1.5)
    stages = [alert["title"] for alert in good(gateway, "GET", "/alerts")["items"] if alert["kind"] == "stage"]
    assert stages == ["Budget alice-day: 0.0001 % is spent"], "once"


def test_an_increase_that_is_asked_for_is_told_once_to_who_decides(gateway: Gateway, mail: Mailbox) -> None:
    """By a developer with his own key, and by `raise --request`; not by who may grant it himself."""
    budget = {"level": "user", "of": "alice", "period": "month", "usd": "100"}
    assert admin(gateway, "PUT", "/budgets/alice-month", budget)[0] in (200, 201)
    question = {"budget": "alice-month", "usd": "50", "until": str(int(time.time()) + 3600), "reason": "release week"}

    def asked() -> tuple[int, Any]:
        body = json.dumps(question).encode()
        status, _, raw = ask(gateway.url, "POST", "/v1/fastgate/increases", body, authorization=f"Bearer {KEY}")
        return status, json.loads(raw)

    _, made = until(lambda: (answer := asked())[0] == 202 and answer, 10, "the worker knows of the budget")
    words = ("--usd", "7", "--until", "1d", "--reason", "a demo", "--json")
    waiting = gateway.cli("budgets", "raise", "alice-month", "--request", *words).json["id"]
    granted = gateway.cli("budgets", "raise", "alice-month", *words).json["id"]

    def told(increase: str) -> list[Mail]:
        return [one for one in mail.mails if increase in one.message.get_content()]

    until(lambda: told(made["id"]) and told(waiting), 20, "whoever decides is told of both")
    time.sleep(1.5)
    assert not told(granted)
    for increase, amount, who in ((made["id"], "$ 50.00", "key:alice-laptop asks"), (waiting, "$ 7.00", "asks")):
        (one,) = told(increase)
        text = one.message.get_content()
        assert one.receivers == ["em@acme.example"]
        assert amount in text and who in text and f"fastgate budgets approve {increase}" in text
    listed = [alert for alert in good(gateway, "GET", "/alerts")["items"] if alert["kind"] == "request"]
    assert {alert["severity"] for alert in listed} == {"info"}


def test_nothing_is_told_or_sent_without_the_token(gateway: Gateway, vendor: Services) -> None:
    sent = len(vendor.asked)
    for method, path in (
        ("GET", "/alerts"),
        ("GET", "/alerts/channels"),
        ("POST", "/alerts/test"),
        ("POST", "/alerts/retry"),
    ):
        assert ask(gateway.control_url, method, f"/api/v1{path}")[0] == 401
    assert len(vendor.asked) == sent
    shown = json.dumps(good(gateway, "GET", "/alerts/channels"))
    assert vendor.secret not in shown and vendor.url not in shown and TOKEN not in shown
