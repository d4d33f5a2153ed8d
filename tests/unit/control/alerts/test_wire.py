"""Sending, over real HTTP and SMTP: what every vendor gets, what their answers mean, and that no secret shows."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from fastgate.config_alerts import Channel
from fastgate.control.alerts import payload, wire
from fastgate.control.alerts.notice import Notice
from fastgate.control.alerts.wire import SendError, send
from fastgate.refs import Secret
from tests.support import vendors
from tests.support.mailbox import mailbox
from tests.support.tls import Certificate, certificate
from tests.support.vendors import Services, services
from tests.unit.control.alerts.test_outbox import notice

ROUTING_KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def running() -> Iterator[Services]:
    with services() as found:
        yield found


@pytest.fixture
def vendor(running: Services) -> Iterator[Services]:
    running.asked.clear()
    running.plan.clear()
    running.members.clear()
    yield running
    assert running.faults == []


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("tls"))


def channel(kind: Any, vendor: Services, **changes: Any) -> Channel:
    fields: dict[str, Any] = {"name": kind, "kind": kind}
    match kind:
        case "pagerduty":
            fields |= {"routing_key": Secret(ROUTING_KEY), "base_url": vendor.url}
        case "webhook":
            fields |= {"webhook": Secret(f"{vendor.url}/hook"), "secret": Secret(vendor.secret)}
        case _:
            fields["webhook"] = Secret(f"{vendor.url}/{kind}")
    return Channel(**fields | changes)


def bot(vendor: Services, **changes: Any) -> Channel:
    return Channel(name="bot", kind="slack", token=Secret(vendor.token), base_url=vendor.url, **changes)


KINDS = ("slack", "teams", "discord", "pagerduty", "webhook")


@pytest.mark.parametrize("kind", KINDS)
def test_every_service_takes_what_it_is_sent(vendor: Services, kind: str) -> None:
    send(channel(kind, vendor), "", [notice()], "key-1")
    send(channel(kind, vendor), "", [notice(period_ns=n) for n in range(3)], "key-2")
    assert any("80 %" in request.raw.decode().replace("\\\\", "") for request in vendor.asked)


TEXT = st.text(max_size=80) | st.sampled_from(
    ["<@U1> & <http://x|y>", "@everyone [x](http://y)", "*a" * 1000, "\n\r\t"]
)
NOTICES = st.lists(
    st.builds(
        notice,
        title=TEXT.filter(bool),
        text=TEXT.filter(bool),
        topic=TEXT,
        severity=st.sampled_from(["info", "warning", "critical"]),
        facts=st.lists(st.tuples(st.text(min_size=1, max_size=20), TEXT.filter(bool)), max_size=9).map(tuple),
    ),
    min_size=1,
    max_size=40,
)


@given(NOTICES)
@settings(max_examples=40, phases=[Phase.generate])  # to shrink sixty alerts takes minutes
def test_whatever_names_say_every_message_is_within_the_documented_limits(notices: list[Notice]) -> None:
    vendors.check_slack(payload.slack(notices))
    vendors.check_teams(payload.teams(notices))
    vendors.check_discord(payload.discord(notices))
    for one in notices[:3]:
        vendors.check_pagerduty(payload.pagerduty(one, ROUTING_KEY, one.key))
    mail = payload.email(notices, "gate@acme.example", ["a@b.example"], "key")
    assert "\n" not in mail["Subject"] and mail.as_bytes()


def test_incidents_are_one_for_each_alert_and_the_same_when_sent_again(vendor: Services) -> None:
    alerts = [notice(period_ns=1), notice(period_ns=2)]
    for _ in range(2):
        send(channel("pagerduty", vendor), "", alerts, "any")
    keys = [request.json["dedup_key"] for request in vendor.at("/v2/enqueue")]
    assert keys[:2] == keys[2:]
    assert len(set(keys)) == 2


def test_a_bot_posts_in_its_channel_and_reaches_people(vendor: Services) -> None:
    vendor.members["alice+x@acme.example"] = "U1"
    send(bot(vendor, channel="C9"), "", [notice()], "k")
    send(bot(vendor), "alice+x@acme.example", [notice()], "k")
    assert [request.json["channel"] for request in vendor.at("/api/chat.postMessage")] == ["C9", "DU1"]


@pytest.mark.parametrize(
    ("answer", "final"),
    [
        ({"ok": False, "error": "ratelimited"}, False),
        ({"ok": False, "error": "internal_error"}, False),
        ({"ok": False, "error": "channel_not_found"}, True),
        ("<html>", False),
        ([], False),
    ],
)
def test_slacks_own_errors_come_with_status_200(vendor: Services, answer: Any, final: bool) -> None:
    vendor.plan["/api/chat.postMessage"] = [(200, {"retry-after": "30"}, answer)]
    with pytest.raises(SendError) as caught:
        send(bot(vendor, channel="C9"), "", [notice()], "k")
    assert caught.value.final == final


def test_who_is_not_in_the_workspace_is_told_as_such(vendor: Services) -> None:
    with pytest.raises(SendError, match="users_not_found") as caught:
        send(bot(vendor), "nobody@acme.example", [notice()], "k")
    assert caught.value.final


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("status", "headers", "final", "wait_s"),
    [
        (400, {}, True, None),
        (404, {}, True, None),
        (410, {}, True, None),
        (408, {}, False, None),
        (429, {"retry-after": "7"}, False, 7.0),
        (429, {"retry-after": "Thu, 01 Jan 2099 00:00:00 GMT"}, False, None),
        (503, {"retry-after": "999999999"}, False, wire.WAIT_MAX_S),
        (500, {}, False, None),
        (302, {"location": "http://127.0.0.1:1/"}, False, None),
    ],
)
def test_what_an_answer_means(
    vendor: Services, kind: str, status: int, headers: dict[str, str], final: bool, wait_s: float | None
) -> None:
    place = {"pagerduty": "/v2/enqueue", "webhook": "/hook"}.get(kind, f"/{kind}")
    vendor.plan[place] = [(status, headers, "no\x1b[31m way")]
    with pytest.raises(SendError, match=str(status)) as caught:
        send(channel(kind, vendor), "", [notice()], "k")
    assert (caught.value.final, caught.value.wait_s) == (final, wait_s)
    assert "\x1b" not in str(caught.value)
    assert len(vendor.asked) == 1, "no redirect is followed"


@pytest.mark.promise("P-23", bound="addresses of webhooks and tokens are in no error of an alert")
def test_no_secret_is_in_an_error(vendor: Services) -> None:
    with socket.socket() as plug:
        plug.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{plug.getsockname()[1]}/T000/B000/XXXSECRETXXX"
        with pytest.raises(SendError, match="cannot connect") as caught:
            send(channel("slack", vendor, webhook=Secret(closed)), "", [notice()], "k")
    assert "SECRET" not in str(caught.value)
    assert not caught.value.final


def test_a_server_that_is_not_trusted_is_not_spoken_to(tls: Certificate, vendor: Services) -> None:
    with mailbox(tls) as server:
        plain = Channel(name="m", kind="email", host="127.0.0.1", port=server.port, sender="gate@acme.example")
        with pytest.raises(SendError, match="TLS") as caught:
            send(plain, "alice@acme.example", [notice()], "k")
        assert not caught.value.final
        assert server.mails == []


# -- mail -------------------------------------------------------------------------------------------------------------


def mail(port: int, tls: Certificate | None, **changes: Any) -> Channel:
    fields: dict[str, Any] = {
        "name": "mail", "kind": "email", "host": "127.0.0.1", "port": port, "sender": "gate@acme.example",
        "to": ("ops@acme.example", "boss@acme.example"),
    }  # fmt: skip
    fields |= {"ca_file": str(tls.cert)} if tls else {"tls": "none"}
    return Channel(**fields | changes)


def test_a_mail_arrives_encrypted_and_authenticated(tls: Certificate) -> None:
    with mailbox(tls, password="geheim") as server:
        channel = mail(server.port, tls, user="gate", password=Secret("geheim"))
        send(channel, "", [notice(title="Budget ü: 80 %", severity="critical")], "key-7")
        send(channel, "alice@acme.example", [notice()], "key-8")
    first, second = server.mails
    assert (first.sender, first.receivers) == ("gate@acme.example", ["ops@acme.example", "boss@acme.example"])
    assert (first.encrypted, first.user) == (True, "gate")
    assert first.message["Subject"] == "[fastgate] Budget ü: 80 %"
    assert first.message["Message-ID"] == "<key-7@acme.example>"
    assert (first.message["Auto-Submitted"], first.message["Importance"]) == ("auto-generated", "high")
    body = first.message.get_content()
    assert "Calls go on." in body and "Budget: b" in body
    assert second.receivers == ["alice@acme.example"]


def test_without_starttls_nothing_is_said() -> None:
    with mailbox() as server:
        with pytest.raises(SendError, match="offer") as caught:
            send(msgspec.structs.replace(mail(server.port, None), tls="starttls"), "", [notice()], "k")
        assert caught.value.final
        assert server.mails == []
        send(mail(server.port, None), "", [notice()], "k")
        assert len(server.mails) == 1


@pytest.mark.parametrize(
    ("place", "answer", "final"),
    [
        ("MAIL", "451 4.3.0 later", False),
        ("MAIL", "550 5.7.1 not from you", True),
        ("DATA", "452 4.3.1 full", False),
        ("x@acme.example", "550 5.1.1 nobody", True),
        ("x@acme.example", "450 4.2.1 greylisted", False),
        ("EHLO", "421 4.3.2 closing", False),
    ],
)
def test_what_a_mail_server_says(place: str, answer: str, final: bool) -> None:
    with mailbox() as server:
        server.refuse[place] = answer
        if place == "EHLO":
            server.refuse["HELO"] = answer
        with pytest.raises(SendError, match=answer[:3]) as caught:
            send(mail(server.port, None), "x@acme.example", [notice()], "k")
    assert caught.value.final == final


def test_a_wrong_password_is_final_and_not_told(tls: Certificate) -> None:
    with mailbox(tls, password="geheim") as server:
        channel = mail(server.port, tls, user="gate", password=Secret("falsch-4711"))
        with pytest.raises(SendError, match="535") as caught:
            send(channel, "", [notice()], "k")
    assert caught.value.final
    assert "4711" not in str(caught.value)


def test_names_cannot_begin_a_header(tmp_path: Path) -> None:
    with mailbox() as server:
        send(mail(server.port, None), "", [notice(title="x\r\nBcc: all@acme.example")], "k")
    assert server.mails[0].receivers == ["ops@acme.example", "boss@acme.example"]
    assert "Bcc" not in server.mails[0].message
