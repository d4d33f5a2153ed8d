"""A directory with cost centres and owners, budgets of every level, and services that alerts can be sent to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fastgate.config_alerts import Alerts, Channel
from fastgate.control.alerts.desk import Desk
from fastgate.control.alerts.outbox import Receiver
from fastgate.directory import parse_directory
from fastgate.snapshot import BudgetRow
from fastgate.state import StateDir
from fastgate.stores.embedded import open_directory
from fastgate.stores.engine import open_engine
from fastgate.times import NS
from tests.support.mailbox import Mailbox, mailbox
from tests.support.vendors import Services, services
from tests.unit.control.alerts.test_wire import bot, channel

DIRECTORY = b"""\
orgs: [{id: acme}]
cost_centers:
  - {id: CC-1, owner: em@acme.example, alerts: [teams]}
  - {id: CC-2, owner: Erika Mustermann}
  - {id: CC-3, alerts: [gone]}
teams: [{id: platform, org: acme, cost_center: CC-1}, {id: web, org: acme}, {id: data, org: acme, cost_center: CC-3}]
users:
  - {id: alice, team: platform, email: alice@acme.example}
  - {id: bob, team: web, email: "not an address", cost_center: CC-2}
keys:
  - {id: alice-laptop, user: alice, secret: sk-test-alice-0123456789abcdef}
  - {id: ci, team: platform, secret: sk-test-ci-0123456789abcdef01, cost_center: CC-2}
"""

NOW_NS = 1_790_000_000 * NS


class Change(NamedTuple):
    """As the control plane's stages tell one."""

    budget: str
    cell: str = ""
    created_ns: int = 7
    period_start_ns: int = 0
    stage: str = "alert"
    spent_nano: int = 85 * 10**9
    at_ns: int = NOW_NS


def row(level: Any, of: str, **changes: Any) -> BudgetRow:
    fields: dict[str, Any] = {
        "id": f"{level}-{of}", "org": "acme", "level": level, "of": of, "per_seat": False, "models": (),
        "period": "month", "rolling_h": 0, "tz": "UTC", "start_day": 1, "usd_nano": 100 * 10**9, "hard": True,
        "stages": ((800_000, "alert"), (950_000, "downgrade"), (1_100_000, "pause")), "increases": (),
        "created_ns": 7,
    }  # fmt: skip
    return BudgetRow(**fields | changes)


ROWS = [
    row("org", "acme"), row("team", "platform"), row("team", "web"), row("team", "data"), row("user", "alice"),
    row("user", "bob"), row("key", "alice-laptop"), row("key", "ci"), row("tag", "cost_center=CC-1"),
    row("tag", "cost_center=*"), row("tag", "project=*"), row("org", "acme", id="seats", per_seat=True),
    row("team", "platform", id="window", period="rolling", rolling_h=5),
]  # fmt: skip


class World(NamedTuple):
    folder: Path
    vendor: Services
    mail: Mailbox
    settings: Alerts

    def desk(self, **changes: Any) -> Desk:
        engine = open_engine(self.folder / "state" / "fastgate.sqlite")
        return Desk(self.folder / "alerts.sqlite", engine, lambda: self.settings, lambda: ROWS, **changes)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("directory")
    declared, _ = parse_directory(DIRECTORY, {}, "directory.yaml")
    store = open_directory(StateDir(folder / "state"), "a test")
    store.apply_directory(declared, "test")
    store.close()
    return folder


@pytest.fixture
def world(directory: Path) -> Iterator[World]:
    for path in directory.glob("alerts.sqlite*"):
        path.unlink()
    with services() as vendor, mailbox() as mail:
        vendor.members = {"alice@acme.example": "U1", "em@acme.example": "U2"}
        post = Channel(
            name="mail", kind="email", host="127.0.0.1", port=mail.port, tls="none", sender="gate@acme.example"
        )
        settings = Alerts(
            channels=(channel("teams", vendor), channel("discord", vendor), channel("pagerduty", vendor), post,
                      bot(vendor)),
            fallback=("discord",),
            operators=("pagerduty",),
            users=("mail", "bot"),
            cooldown_s=0,
        )  # fmt: skip
        yield World(directory, vendor, mail, settings)
        assert vendor.faults == []


FALLBACK = [Receiver("discord")]
OWNED = [Receiver("teams"), Receiver("mail", "em@acme.example"), Receiver("bot", "em@acme.example")]
ALICE = [Receiver("mail", "alice@acme.example"), Receiver("bot", "alice@acme.example")]


def until(desk: Desk, done: Callable[[], object], within_s: float = 10.0) -> None:
    end = time.monotonic() + within_s
    desk.step()
    while not done():
        assert time.monotonic() < end
        desk.step()
