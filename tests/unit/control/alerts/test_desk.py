"""From a stage to the message that arrives: who hears of it, once, whatever is slow, down or restarted."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fastgate.config_alerts import Alerts, Channel
from fastgate.control.alerts import outbox as outboxes
from fastgate.control.alerts.desk import Desk, message_key
from fastgate.control.alerts.notice import operator_notice, stage_notice
from fastgate.control.alerts.outbox import Due, Receiver
from fastgate.control.alerts.watch import CRASHES, CREDENTIAL_REFUSED, Watch
from fastgate.control.ingest import Ingestor
from fastgate.control.usage import UsageTable
from fastgate.journal import KIND_CALL, JournalWriter, call_id
from fastgate.record import Broke, Judgement
from fastgate.refs import Secret
from fastgate.state import StateDir
from fastgate.stores.engine import open_engine
from fastgate.times import NS
from tests.support.flights import encode, record
from tests.unit.control.alerts.conftest import ALICE, FALLBACK, NOW_NS, OWNED, ROWS, Change, World, row, until


@pytest.mark.parametrize(
    ("budget", "cell", "receivers"),
    [
        ("org-acme", "", FALLBACK),
        ("team-platform", "", OWNED),
        ("team-web", "", FALLBACK),  # no cost centre
        ("team-data", "", FALLBACK),  # its only channel is not configured
        ("user-alice", "", OWNED + ALICE),
        ("user-bob", "", FALLBACK),  # the owner is a name, and his address is none
        ("key-alice-laptop", "", OWNED + ALICE),
        ("key-ci", "", FALLBACK),
        ("tag-cost_center=CC-1", "", OWNED),
        ("tag-cost_center=*", "CC-1", OWNED),
        ("tag-project=*", "checkout", FALLBACK),
        ("seats", "alice", OWNED + ALICE),
        ("seats", "key:ci", FALLBACK),
        ("window", "", OWNED),
    ],
)
def test_who_hears_of_a_stage(world: World, budget: str, cell: str, receivers: list[Receiver]) -> None:
    with closing(world.desk()) as desk:
        desk.on_stage(Change(budget, cell))
        desk._take_stages()
        ((_, notice, deliveries),), _ = desk.outbox.page(0, 10)
        assert [delivery.receiver for delivery in deliveries] == receivers
        assert budget in notice.title


def test_it_arrives_everywhere_once_also_after_a_restart(world: World) -> None:
    for _ in range(2):
        with closing(world.desk()) as desk:
            desk.on_stage(Change("user-alice"))
            desk.on_stage(Change("user-alice", stage="downgrade", spent_nano=96 * 10**9))
            desk.on_stage(Change("user-alice"))
            until(desk, lambda: not desk.outbox.counts().get("pending"))
            assert desk.outbox.counts() == {"sent": 10}
    assert {mail.receivers[0] for mail in world.mail.mails} == {"em@acme.example", "alice@acme.example"}
    posted = [request.json["channel"] for request in world.vendor.at("/api/chat.postMessage")]
    assert sorted(posted) == ["DU1", "DU2"], "both stages came in one step: one message"
    assert len(world.vendor.at("/teams")) == 1
    with closing(world.desk()) as desk:
        desk.on_stage(Change("user-alice", period_start_ns=1))
        until(desk, lambda: not desk.outbox.counts().get("pending"))
    assert len(world.vendor.at("/teams")) == 2, "the next period begins anew"


def test_what_a_stage_says(world: World) -> None:
    notice = stage_notice(ROWS[4], Change("user-alice", spent_nano=110 * 10**9, stage="pause"))
    assert notice is not None
    assert (notice.severity, notice.title) == ("critical", "Budget user-alice: 110 % is spent")
    facts = dict(notice.facts)
    assert (facts["Spent"], facts["Limit"], facts["Ceiling"]) == ("$ 110.00", "$ 100.00 a month", "$ 110.00")
    assert facts["Begins anew"] == "2026-10-01T00:00:00.000Z"
    assert "refused" in notice.text
    assert stage_notice(ROWS[4], Change("user-alice", stage="", spent_nano=0)) is None
    window = stage_notice(ROWS[-1], Change("window"))
    assert window is not None
    assert (window.repeat_ns, dict(window.facts)["Limit"]) == (5 * 3600 * NS, "$ 100.00 in 5 hours")


def test_one_that_does_not_answer_holds_up_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.vendor.delay_s["/teams"] = 1.0
    with closing(world.desk()) as desk:
        desk.on_stage(Change("team-platform"))
        begun = time.monotonic()
        desk.step()
        arrived = {request.path: request for request in world.vendor.asked}
        assert "/api/chat.postMessage" in arrived
        assert len(world.mail.mails) == 1
        assert desk.outbox.counts() == {"sent": 3}
        assert time.monotonic() - begun < 60


def test_what_fails_is_tried_again_and_what_cannot_work_is_given_up(world: World) -> None:
    world.vendor.plan["/teams"] = [(503, {}, "down")]
    world.vendor.members.clear()
    with closing(world.desk()) as desk:
        desk.on_stage(Change("team-platform"))
        desk.step()
        assert desk.outbox.counts() == {"pending": 1, "dead": 1, "sent": 1}
        ((_, _, deliveries),), _ = desk.outbox.page(0, 1)
        errors = {delivery.receiver.channel: delivery.error for delivery in deliveries}
        assert errors == {"teams": "answered 503: down", "mail": "", "bot": "users.lookupByEmail: users_not_found"}
        (pending,) = [delivery for delivery in deliveries if delivery.state == "pending"]
        (message,) = desk.outbox.due(pending.due_ns)
        desk._deliver(message)
        assert desk.outbox.counts() == {"dead": 1, "sent": 2}


def test_a_channel_that_is_gone_is_given_up(world: World) -> None:
    with closing(world.desk()) as desk:
        desk.on_stage(Change("team-web"))
        desk._take_stages()
    with closing(world._replace(settings=Alerts()).desk()) as desk:
        desk.step()
        assert desk.outbox.counts() == {"dead": 1}


def test_a_disk_that_fails_loses_no_stage(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(world.desk()) as desk:
        desk.on_stage(Change("team-web"))
        real = outboxes.Outbox.put

        def full(*_: Any) -> bool:
            raise OSError("no space left")

        monkeypatch.setattr(outboxes.Outbox, "put", full)
        with pytest.raises(OSError, match="space"):
            desk.step()
        monkeypatch.setattr(outboxes.Outbox, "put", real)
        desk.step()
        assert desk.outbox.counts() == {"sent": 1}


def test_incidents_end_when_their_stage_clears_and_when_its_period_is_over(world: World) -> None:
    settings = Alerts(channels=world.settings.channels, fallback=("pagerduty", "discord"), cooldown_s=0)
    usd = 10**9
    with closing(world._replace(settings=settings).desk()) as desk:

        def told(**changes: Any) -> list[tuple[str, str]]:
            before = len(world.vendor.at("/v2/enqueue"))
            desk.on_stage(Change("team-web", **changes))
            desk.step()
            events = [request.json for request in world.vendor.at("/v2/enqueue")[before:]]
            return [(event["event_action"], event["dedup_key"].partition(":7::")[2]) for event in events]

        assert told() == [("trigger", "800000:1790000000000000000")]
        assert told(stage="downgrade", spent_nano=96 * usd) == [("trigger", "950000:1790000000000000000")]
        assert told(stage="alert", spent_nano=85 * usd) == [("resolve", "950000:1790000000000000000")]
        assert told(stage="alert", spent_nano=86 * usd) == [], "it is told once"
        assert told(stage="", spent_nano=0) == [("resolve", "800000:1790000000000000000")]
    assert len(world.vendor.at("/discord")) == 2, "who keeps no incidents hears of none that end"
    with closing(world._replace(settings=settings).desk()) as desk:
        assert told(period_start_ns=5) == [("trigger", "800000:5")]
        assert told(period_start_ns=9) == [("resolve", "800000:5"), ("trigger", "800000:9")]


def test_incidents_end_with_their_stage_and_their_budget(world: World) -> None:
    settings = Alerts(channels=world.settings.channels, fallback=("pagerduty",), cooldown_s=0)
    rows = [row("tag", "project=*")]
    engine = open_engine(world.folder / "state" / "fastgate.sqlite")
    with closing(Desk(world.folder / "alerts.sqlite", engine, lambda: settings, lambda: rows)) as desk:

        def told(cell: str, **changes: Any) -> list[str]:
            before = len(world.vendor.at("/v2/enqueue"))
            desk.on_stage(Change("tag-project=*", cell, **changes))
            desk.step()
            events = [request.json for request in world.vendor.at("/v2/enqueue")[before:]]
            return [f"{event['event_action']} {event['dedup_key'].partition(':7:')[2][:8]}" for event in events]

        assert told("a") == ["trigger a:800000"]
        assert told("a:b") == ["trigger a:b:8000"]
        rows[:] = [row("tag", "project=*", stages=((900_000, "alert"),))]
        assert told("a", spent_nano=95 * 10**9) == ["resolve a:800000", "trigger a:900000"]
        rows[:] = [row("tag", "project=*", created_ns=8)]
        assert told("a", stage="", spent_nano=0) == ["resolve a:900000"]
        rows[:] = []
        assert told("a:b", stage="", spent_nano=0) == ["resolve a:b:8000"]
        assert told("a:b", stage="", spent_nano=0) == []


def test_without_anything_to_say_there_is_no_file(world: World) -> None:
    with closing(world.desk()) as desk:
        assert desk.step() == 0
        desk.on_stage(Change("unknown-budget"))
        desk.on_stage(Change("team-web", stage=""))
        assert desk.step() == 0
    assert not (world.folder / "alerts.sqlite").exists()


def test_the_key_of_a_message_is_that_of_what_it_holds() -> None:
    one = Due(Receiver("hook"), [1, 2], [])
    assert message_key(one) == message_key(one._replace(notices=[]))
    assert len({message_key(one), message_key(one._replace(ids=[1])), message_key(one._replace(receiver=Receiver("x")))}
               ) == 3  # fmt: skip


def test_a_test_message_says_how_each_attempt_ended(world: World) -> None:
    world.vendor.plan["/discord"] = [(404, {}, "gone")]
    with closing(world.desk()) as desk:
        tried = desk.trial([Receiver("teams"), Receiver("discord"), Receiver("mail", "a@acme.example")])
    assert [(one.receiver.channel, one.error) for one in tried] == [
        ("teams", ""), ("discord", "answered 404: gone"), ("mail", ""),
    ]  # fmt: skip


# -- what operators must know -----------------------------------------------------------------------------------------


def test_a_refused_credential_is_told_once_and_names_the_endpoint(world: World, tmp_path: Path) -> None:
    state = StateDir(tmp_path / "state").create()
    with closing(UsageTable(state.usage_db)) as table, closing(world.desk()) as desk:
        watch = Watch(state, table, desk.tell_operators, limit_nano)
        watch.step()
        with closing(JournalWriter.create(state.journal_dir)) as writer:
            for n in range(1, 6):
                change = {"outcome": "upstream_error", "error": CREDENTIAL_REFUSED if n % 2 else "upstream_status",
                          "endpoint": "anthropic-a"}  # fmt: skip
                writer.append(KIND_CALL, encode(record(call_id(writer.epoch, n), **change)))
        Ingestor(table, state.journal_dir).catch_up()
        watch.step()
        watch.step()
        desk.step()
        assert desk.outbox.counts() == {"sent": 1}
    (request,) = world.vendor.at("/v2/enqueue")
    assert "anthropic-a" in request.json["payload"]["summary"]
    assert request.json["payload"]["severity"] == "critical"


def test_workers_that_die_again_and_again_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = StateDir(tmp_path / "state").create()
    alive: list[str] = ["w1", "w2"]
    monkeypatch.setattr("fastgate.control.alerts.watch.live_workers", lambda _: [Worker(epoch) for epoch in alive])
    told: list[str] = []
    with closing(UsageTable(state.usage_db)) as table:
        watch = Watch(state, table, lambda notice: told.append(notice.key), limit_nano, grace_ns=0)
        watch.step()
        for n in range(CRASHES):
            assert told == []
            alive[0] = f"again-{n}"
            watch.step()
    assert told == ["operator:workers"]


def test_a_session_that_breaks_its_prompt_cache_too_dearly_is_told(tmp_path: Path) -> None:
    state = StateDir(tmp_path / "state").create()
    told: list[tuple[str, str]] = []

    class Dear:
        """Judges that each call broke the cache for two dollars."""

        def judge(self, call: Any) -> Judgement:
            broke = Broke(cause="system", lost_tokens=9000, cost_nano=2_000_000_000, block="system[1]")
            return Judgement(expected_read=9000, broke=broke)

    with closing(UsageTable(state.usage_db, Dear())) as table:
        watch = Watch(state, table, lambda notice: told.append((notice.key, notice.title)), limit_nano)
        watch.step()
        with closing(JournalWriter.create(state.journal_dir)) as writer:
            for n, session in enumerate(["a", "b", "a", "a", "b"]):
                writer.append(KIND_CALL, encode(record(call_id(writer.epoch, n), session=session, prefix=b"x" * 9)))
        Ingestor(table, state.journal_dir).catch_up()
        watch.step()
        watch.step()
    assert told == [("operator:prompt-cache:a", "Prompt cache: session a has lost $ 6.00")]


def limit_nano() -> int:
    """$ 5."""
    return 5_000_000_000


class Worker(NamedTuple):
    epoch: str


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = StateDir(tmp_path / "state").create()
    told: list[str] = []
    with closing(UsageTable(state.usage_db)) as table:
        watch = Watch(state, table, lambda notice: told.append(notice.title), limit_nano)
        watch.step()
        monkeypatch.setattr("fastgate.control.alerts.watch.shutil.disk_usage", lambda _: Free(5 << 20))
        watch.step()
    assert told == ["The state's disk has 5 MiB left"]


class Free(NamedTuple):
    free: int


def test_an_operators_trouble_is_told_again_when_it_lasts(world: World) -> None:
    with closing(world.desk()) as desk:
        for at_ns in (NOW_NS, NOW_NS + 3600 * NS, NOW_NS + 4 * 3600 * NS):
            desk.tell_operators(operator_notice("disk", "t", "x", at_ns, 4 * 3600 * NS))
        assert len(desk.outbox.page(0, 10)[0]) == 2


def test_secrets_stay_out_of_what_is_kept(world: World) -> None:
    secret = Secret("https://hooks.example/T0/XXSECRETXX")
    broken = Channel(name="discord", kind="discord", webhook=secret)
    with closing(world._replace(settings=Alerts(channels=(broken,), fallback=("discord",))).desk()) as desk:
        desk.on_stage(Change("team-web"))
        desk.step()
    assert b"SECRET" not in (world.folder / "alerts.sqlite").read_bytes()
