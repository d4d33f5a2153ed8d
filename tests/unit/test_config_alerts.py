"""The `alerts` section: what each kind of channel needs, and that every mistake is named at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastgate.config import Config, load_config
from fastgate.config_alerts import is_email, unheard
from fastgate.tree import ConfigErrors

BASE = """\
version: 1
endpoints: [{name: a, kind: compatible, base_url: "http://127.0.0.1:9"}]
alerts:
"""

GOOD = """\
  channels:
    - {name: ops, kind: slack, webhook: "${HOOK}"}
    - {name: bot, kind: slack, token: "${TOKEN}"}
    - {name: team, kind: teams, webhook: "${HOOK}", digest_s: 3600}
    - {name: cord, kind: discord, webhook: "${HOOK}"}
    - {name: pager, kind: pagerduty, routing_key: "${TOKEN}", base_url: https://events.eu.pagerduty.com}
    - {name: mail, kind: email, host: smtp.acme.example, sender: gate@acme.example, to: [ops@acme.example],
       user: gate, password: "${TOKEN}", ca_file: ca.pem}
    - {name: hook, kind: webhook, webhook: "${HOOK}", secret: "${TOKEN}"}
  fallback: [ops]
  operators: [pager, mail]
  users: [mail, bot]
  cooldown_s: 60
"""

ENVIRON = {"HOOK": "https://hooks.example/T0/B0/x", "TOKEN": "xoxb-0123456789"}


def load(tmp_path: Path, text: str) -> Config:
    return load_config(tmp_path / "fastgate.yaml", ENVIRON, (BASE + text).encode())[0]


def test_every_kind_of_channel(tmp_path: Path) -> None:
    alerts = load(tmp_path, GOOD).alerts
    assert [channel.kind for channel in alerts.channels] == [
        "slack", "slack", "teams", "discord", "pagerduty", "email", "webhook",
    ]  # fmt: skip
    mail = alerts.channels[5]
    assert (mail.port, mail.tls, mail.ca_file) == (587, "starttls", str(tmp_path / "ca.pem"))
    assert "hooks.example" not in repr(alerts)
    assert load_config(tmp_path / "f", ENVIRON, BASE.replace("alerts:\n", "").encode())[0].alerts.channels == ()


@pytest.mark.parametrize(
    ("channel", "said"),
    [
        ("{name: x, kind: slack}", "alerts.channels[0]: needs exactly one of webhook and token"),
        ('{name: x, kind: slack, webhook: "${HOOK}", token: "${TOKEN}"}', "exactly one of webhook and token"),
        ('{name: x, kind: slack, webhook: "${HOOK}", channel: C1}', "channels[0].channel: is for a token"),
        ("{name: x, kind: teams}", "channels[0].webhook: missing"),
        ("{name: x, kind: pagerduty}", "channels[0].routing_key: missing"),
        ('{name: x, kind: webhook, webhook: "${HOOK}"}', "channels[0].secret: missing"),
        ("{name: x, kind: email, host: h}", "channels[0].sender: missing"),
        ("{name: x, kind: email, sender: a@b.example}", "channels[0].host: missing"),
        ("{name: x, kind: email, host: h, sender: nobody}", "is not an e-mail address"),
        ("{name: x, kind: email, host: h, sender: a@b.example, user: u}", "needs a password"),
        ("{name: x, kind: email, host: smtp.example, sender: a@b.example, tls: none}", "loopback"),
        ("{name: x, kind: teams, webhook: http://hooks.example/x}", "must begin with https://"),
        ("{name: x, kind: teams, webhook: hooks.example}", "must be a URL"),
        ("{name: x, kind: sms}", "nearest"),
        ("{name: x, kind: teams, web_hook: y}", "nearest known key: webhook"),
    ],
)
def test_what_is_wrong_with_a_channel_is_said(tmp_path: Path, channel: str, said: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        load(tmp_path, f"  channels: [{channel}]\n")
    assert said in str(caught.value)
    assert "hooks.example/T0" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("  fallback: [nobody]\n", "alerts.fallback[0]: nobody is not the name of a channel"),
        ('  channels: [{name: bot, kind: slack, token: "${TOKEN}"}]\n  fallback: [bot]\n', "only reaches single users"),
        ('  channels: [{name: t, kind: teams, webhook: "${HOOK}"}]\n  users: [t]\n', "cannot reach single users"),
        (
            '  channels: [{name: t, kind: teams, webhook: "${HOOK}"}, {name: t, kind: discord, webhook: "${HOOK}"}]\n',
            "t is also the name of channels[0]",
        ),
        ("  cooldown_s: -1\n", "alerts.cooldown_s"),
    ],
)
def test_routes_lead_somewhere(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        load(tmp_path, text)
    assert said in str(caught.value)


def test_cost_centres_that_name_no_channel_are_told(tmp_path: Path) -> None:
    alerts = load(tmp_path, GOOD).alerts
    (problem,) = unheard(alerts, [("CC-1", ["ops"]), ("CC-2", ["ops", "opps"])], "directory.yaml")
    assert (problem.path, "opps" in problem.message) == ("cost_centers[1].alerts", True)


def test_addresses() -> None:
    assert all(is_email(text) for text in ("a@b.example", "a.b+c@d-e.example", "ü@b.example", "a@localhost"))
    assert not any(is_email(text) for text in ("", "a", "a@", "@b", "a b@c", "a@b c", "a@b\n", "a@b,c@d", "<a@b>"))
