"""Calls in numbers: a database of texts is carried over whole, numbers outlive no transaction, pages are exact."""

import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from fastgate.control import usage, usage_queries
from fastgate.control.feed import CallFeed, Odd
from fastgate.control.ingest import Ingestor
from fastgate.control.usage import DAY_NS, UsageTable
from fastgate.control.usage_queries import Filters
from fastgate.control.usage_rows import ROWS_AT_ONCE, Numbers, Row
from fastgate.journal import KIND_CALL, JournalReader, JournalWriter, call_id
from fastgate.journal.lookup import lookup_call
from fastgate.record import CallRecord, Sighting
from fastgate.stores.engine import migrate, open_engine
from tests.support.flights import encode, record

T0_NS = 1_790_000_000_000_000_000
TEXTS = ("org", "team", "user", "key", "cost_center", "session", "agent", "model_asked", "model_used", "endpoint",
         "provider", "outcome", "cache", "namespace")  # fmt: skip
FIGURES = ("at_ns", "cost_nano", "cost_asked_nano", "saved_nano", "saved_downgrade_nano", "saved_arbitration_nano")
TOKENS = ("input_tokens", "output_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "cache_read_tokens")


def some_call(draw: Random, one: str, at_ns: int) -> CallRecord:
    """Of few users and sessions, so that much is shared and little is not."""
    return record(
        one,
        at_ns=at_ns,
        team=draw.choice(["t1", "t2"]),
        user=draw.choice(["u1", "u2", "u3"]),
        session=draw.choice(["", "s1", "s2"]),
        agent=draw.choice(["", "a1"]),
        tags=draw.choice([{}, {"project": "ü'"}, {"a": "1", "b": "2"}]),
        outcome=draw.choice(["ok", "client_gone"]),
        endpoint=draw.choice(["", "e1", "e2"]),
        cost_nano=draw.randint(0, 10**12),
        sightings=(Sighting(1, "/src/a.py", bytes([draw.randint(0, 3)]) * 16),) if draw.random() < 0.5 else (),
    )


def write(folder: Path, count: int, *, seed: int = 1) -> list[CallRecord]:
    """A journal of drawn calls, the last of another worker's, as the control plane records them after a death."""
    draw = Random(seed)
    with closing(JournalWriter.create(folder / "journal")) as writer:
        calls = [some_call(draw, call_id(writer.epoch, n), T0_NS + n // 3) for n in range(1, count)]
        calls.append(some_call(draw, call_id("0123456789ab", 7), T0_NS + DAY_NS))
        for one in calls:
            writer.append(KIND_CALL, encode(one))
    return calls


def fill_u0006(path: Path, journal_dir: Path) -> None:
    """What the version before has in its tables of this journal."""
    engine = open_engine(path)
    migrate(engine, target="u0006", scripts="fastgate.control:migrations_usage", head="u0006")
    engine.dispose()
    reader = JournalReader(journal_dir)
    with closing(sqlite3.connect(path)) as db:
        for epoch in reader.epochs():
            batch = reader.read(epoch)
            for place in batch.records:
                call = msgspec.msgpack.decode(place.body, type=CallRecord)
                row = {
                    "id": call.id,
                    **{name: getattr(call, name) for name in (*TEXTS, *FIGURES)},
                    **{name: getattr(call.usage, name) for name in TOKENS},
                    "tags": msgspec.json.encode(call.tags).decode() if call.tags else None,
                    "epoch": epoch,
                    "segment": place.segment,
                    "offset": place.offset,
                    "prompt_cache": '{"expected_read":5}' if call.cost_nano % 2 else None,
                    "broke_nano": call.cost_nano % 3,
                }
                names, marks = ", ".join(f'"{name}"' for name in row), ", ".join("?" * len(row))
                db.execute(f"INSERT INTO calls ({names}) VALUES ({marks})", list(row.values()))
                for one in call.sightings:
                    db.execute("INSERT INTO sightings VALUES (?, 0, ?, ?, ?)", (call.id, one.marks, one.kind, one.path))
            db.execute("INSERT INTO offsets VALUES (?, ?, ?, ?, 1)", (epoch, *batch.position))
        db.commit()


def told(table: UsageTable) -> dict[str, Any]:
    """Everything that can be asked of a table."""
    listed, cursor = [], None
    while True:
        page, cursor = table.calls(limit=7, cursor=cursor)
        listed += page
        if cursor is None:
            break
    names = [name for name in usage_queries.DIMENSIONS if not name.startswith("tag:")]
    marks = [table.seen(bytes([n]) * 16, "", 50, None)[0] for n in range(4)]
    return {
        "listed": listed,
        "spend": {name: sorted(map(repr, table.spend([name]))) for name in (*names, "tag:project", "tag:b")},
        "seen": [[(one.id, one.path, one.session, one.outcome) for one in found] for found in marks],
        "positions": table.positions(),
        "count": table.count(),
    }


@pytest.fixture
def calls(tmp_path: Path) -> list[CallRecord]:
    return write(tmp_path, 60)


def test_a_database_of_the_version_before_is_carried_over(tmp_path: Path, calls: list[CallRecord]) -> None:
    old = tmp_path / "usage.sqlite"
    fill_u0006(old, tmp_path / "journal")
    (tmp_path / "anew").mkdir()
    (tmp_path / "anew" / "journal").symlink_to(tmp_path / "journal")
    with (
        closing(UsageTable(old)) as carried,
        closing(UsageTable(tmp_path / "anew" / "usage.sqlite")) as anew,
    ):
        Ingestor(anew, tmp_path / "journal").catch_up()
        assert told(carried) == told(anew)
        assert carried.count() == len(calls)
        assert carried.spend([])[0].cost_nano == sum(one.cost_nano for one in calls)
        judged = carried.judgements([one.id for one in calls])
        assert judged == {one.id: '{"expected_read":5}' for one in calls if one.cost_nano % 2}
        assert Ingestor(carried, tmp_path / "journal").catch_up() == 0, "nothing is counted anew"
        assert lookup_call(old, calls[-1].id) is not None


@pytest.mark.parametrize("merged", [0, 2, 64])
def test_pages_are_exact_however_they_are_found(
    tmp_path: Path, calls: list[CallRecord], monkeypatch: pytest.MonkeyPatch, merged: int
) -> None:
    monkeypatch.setattr(usage_queries, "MERGED_KINDS", merged)
    order = {one.id: n for n, one in enumerate(calls)}
    asked: list[dict[str, Any]] = [
        {"user": "u1"},
        {"team": "t2", "outcome": "ok"},
        {"user": "u2", "session": "s1"},
        {"tags": {"b": "2"}, "since_ns": T0_NS + 5, "until_ns": T0_NS + 15},
        {"agent": "a1"},
        {"model": "claude-sonnet-4-5"},
        {"user": "nobody"},
    ]
    with closing(UsageTable(tmp_path / "usage.sqlite")) as table:
        Ingestor(table, tmp_path / "journal").catch_up()
        for fields in asked:
            tags, since_ns, until_ns, model = (fields.get(name) for name in ("tags", "since_ns", "until_ns", "model"))
            plain = {name: value for name, value in fields.items() if name in TEXTS}
            expected = [
                one
                for one in sorted(calls, key=lambda one: (one.at_ns, order[one.id]), reverse=True)
                if all(getattr(one, name) == value for name, value in plain.items())
                and (tags is None or tags.items() <= one.tags.items())
                and (since_ns is None or since_ns <= one.at_ns)
                and (until_ns is None or one.at_ns < until_ns)
                and (model is None or model in (one.model_asked, one.model_used))
            ]
            found, cursor = [], None
            while True:
                page, cursor = table.calls(Filters(**fields), 4, cursor)
                found += page
                if cursor is None:
                    break
            assert found == expected, fields
            (total,) = table.spend([], Filters(**fields))
            assert (total.calls, total.cost_nano) == (len(expected), sum(one.cost_nano for one in expected))


def test_numbers_of_a_transaction_that_failed_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, 20)
    with closing(UsageTable(tmp_path / "usage.sqlite")) as table:
        ingestor = Ingestor(table, tmp_path / "journal")
        with monkeypatch.context() as patch:
            patch.setattr(usage, "_set_offset", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                ingestor.catch_up()
        # Another process takes the numbers that the failed transaction had given.
        with closing(UsageTable(tmp_path / "usage.sqlite")) as other:
            (tmp_path / "other").mkdir()
            write(tmp_path / "other", 5, seed=2)
            Ingestor(other, tmp_path / "other" / "journal").catch_up()
        ingestor.catch_up()
        assert sum(row.calls for row in table.spend(["user", "session"])) == table.count() == 24


def test_rows_made_at_once_are_those_made_one_by_one(tmp_path: Path) -> None:
    """And only plain ones are: of whom there is more to say, or who is not known yet, is left to who can."""
    write(tmp_path, 40)
    feed = CallFeed(tmp_path / "journal")
    found = feed.calls(feed.epochs()[0]).found
    odd = Odd(1, 2, 3, "no call")
    with closing(UsageTable(tmp_path / "usage.sqlite")) as table, closing(sqlite3.connect(table.path)) as db:
        numbers = Numbers()
        assert numbers.plain_rows(found, 0, 1, []) == 0
        each = [numbers.row(db, call, 1) for call in found if not isinstance(call, Odd)]
        rows: list[Row] = []
        left, at = [], 0
        while (at := numbers.plain_rows([*found, odd], at, 1, rows)) < len(found):
            rows.append(each[at])
            left.append(at)
            at += 1
        assert (rows, at) == (each, len(found))
        assert left == [n for n, call in enumerate(found) if not isinstance(call, Odd) and (call.shown or call.body)]
        assert 0 < len(left) < len(found)


def test_epochs_go_with_their_last_call_and_their_journal(tmp_path: Path) -> None:
    """Against a slow model: an epoch stays while a stored call is of it or recorded in it, or its journal is there."""
    with closing(UsageTable(tmp_path / "usage.sqlite")) as table:
        ingestor = Ingestor(table, tmp_path / "journal", retention_days=1)

        def named() -> set[str]:
            with closing(sqlite3.connect(table.path)) as db:
                return {name for (name,) in db.execute("SELECT name FROM epochs")}

        old = write(tmp_path, 6)  # its last call is of another worker, and a day younger
        young = [write(tmp_path, 6, seed=seed)[0].id.split("-")[1] for seed in (2, 3)]
        ingestor.catch_up()
        lives = {one.id.split("-")[1] for one in old}
        assert named() == lives | set(young)
        ingestor.keep_house(T0_NS + DAY_NS + 10)
        assert named() == lives | set(young), "a call that is stored is recorded there"
        for one in young:
            for path in (tmp_path / "journal" / one).iterdir():
                path.unlink()
            (tmp_path / "journal" / one).rmdir()
        ingestor.keep_house(T0_NS + DAY_NS + 10)
        assert len(named()) == 4, "nothing was pruned, nothing is looked for"
        ingestor.keep_house(T0_NS + 9 * DAY_NS)
        assert table.count() == 0
        write(tmp_path, 3, seed=4)
        ingestor.catch_up()
        assert len(named()) >= 1
        assert sum(row.calls for row in table.spend(["user"])) == table.count() == 3


def test_numbers_that_another_process_has_pruned_are_not_used(tmp_path: Path) -> None:
    calls = write(tmp_path, 20)
    with closing(UsageTable(tmp_path / "usage.sqlite")) as table, closing(UsageTable(table.path)) as other:
        Ingestor(table, tmp_path / "journal").catch_up()
        assert other.prune(T0_NS + 9 * DAY_NS, retention_days=1) == len(calls)
        with closing(sqlite3.connect(table.path)) as db:
            assert [db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in ("kinds", "threads")] == [0, 0]
            assert db.execute("SELECT count(*) FROM epochs").fetchone() == (1,), "whose journal is there may go on"
            assert db.execute("SELECT count(*) FROM sightings").fetchone() == (0,)
        (tmp_path / "later").mkdir()
        late = write(tmp_path / "later", 20)
        Ingestor(table, tmp_path / "later" / "journal").catch_up()
        rows = table.spend(["user", "session", "outcome"])
        assert sum(row.calls for row in rows) == len(late)
        assert sum(row.cost_nano for row in rows) == sum(one.cost_nano for one in late)


@pytest.mark.parametrize("count", [1, ROWS_AT_ONCE - 1, ROWS_AT_ONCE, ROWS_AT_ONCE + 1, 2 * ROWS_AT_ONCE, 131])
def test_calls_are_counted_once_however_many_rows_go_into_a_statement(tmp_path: Path, count: int) -> None:
    draw = Random(count)
    with closing(JournalWriter.create(tmp_path / "journal")) as writer:
        calls = [some_call(draw, call_id(writer.epoch, n), T0_NS + n) for n in range(1, count + 1)]
        for one in (*calls, *calls[::3], *reversed(calls)):
            writer.append(KIND_CALL, encode(one))
    with closing(UsageTable(tmp_path / "usage.sqlite")) as table:
        assert Ingestor(table, tmp_path / "journal").catch_up() == 2 * count + len(calls[::3])
        assert table.calls(limit=1000)[0] == calls[::-1]
        (total,) = table.spend([])
        assert (total.calls, total.cost_nano) == (count, sum(one.cost_nano for one in calls))
        with closing(sqlite3.connect(table.path)) as db:
            assert db.execute("SELECT count(*) FROM sightings").fetchone() == (sum(bool(c.sightings) for c in calls),)
