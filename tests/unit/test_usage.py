"""The usage table: what it stores, what can be asked of it, and that sums are exact."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from fastgate.control import usage_schema
from fastgate.control.ingest import Ingestor
from fastgate.control.usage import DAY_NS, UsageTable, call_view
from fastgate.control.usage_queries import Filters, spend_view
from fastgate.journal import KIND_CALL, call_id
from fastgate.journal.format import FRAME_BYTES, segment_path
from fastgate.journal.lookup import lookup_call
from fastgate.record import Attempt, CallRecord, Usage
from fastgate.stores.ports import StoreError
from tests.support.flights import NewWriter, encode, record

NOON_NS = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()) * 1_000_000_000


class Books:
    """A journal, the table, and what was written."""

    def __init__(self, folder: Path, new_writer: NewWriter) -> None:
        self.path = folder / "usage.sqlite"
        self.journal_dir = folder / "journal"
        self.writer = new_writer(self.journal_dir)
        self.table = UsageTable(self.path)
        self.written: list[CallRecord] = []

    def add(self, **changes: Any) -> CallRecord:
        n = len(self.written) + 1
        one = record(call_id(self.writer.epoch, n), **{"at_ns": NOON_NS + n, **changes})
        self.writer.append(KIND_CALL, encode(one))
        self.written.append(one)
        return one

    def ingest(self) -> int:
        return Ingestor(self.table, self.journal_dir).catch_up()


@pytest.fixture
def books(tmp_path: Path, new_writer: NewWriter) -> Iterator[Books]:
    books = Books(tmp_path, new_writer)
    yield books
    books.table.close()


def test_a_call_comes_back_as_it_was_written(books: Books) -> None:
    one = books.add(tags={"a": "ü", "b": "'"}, stages=["downgrade"], outcome="client_gone")
    assert books.ingest() == 1
    assert books.table.call(one.id) == one
    assert books.table.call("fg-absent-1") is None
    assert books.table.calls() == ([one], None)
    assert lookup_call(books.path, one.id) == call_view(one)


def test_the_view_has_exactly_the_contracts_shape() -> None:
    usage = Usage(1, 2, 3, 4, 5, {"web_search": 6})
    attempts = [Attempt("a", "m", 529, "overloaded", 12_345, 7), Attempt("b", "m", 200, "", 1_000_000, 999_999_999)]
    one = record("fg-0-1", usage=usage, attempts=attempts, cost_nano=12_345_678_901, cost_asked_nano=0, saved_nano=1)
    view = call_view(one)
    assert list(view) == [
        "id", "at", "org", "team", "user", "key", "tags", "cost_center", "session", "agent", "model_asked",
        "model_used", "endpoint", "status", "outcome", "stream", "cache", "guard", "routed", "usage",
        "prompt_cache", "cost", "cost_asked", "saved", "saved_by", "stages", "policy", "attempts", "system_sha256",
        "tools", "ladder", "verdicts",
    ]  # fmt: skip
    nothing = {"expected_read": None, "broke": None, "placed": None, "placed_saves": None}
    assert view["prompt_cache"] == {"read_ratio": "0.3846"} | nothing
    assert view["usage"] == {
        "input_tokens": 1,
        "output_tokens": 2,
        "cache_write_5m_tokens": 3,
        "cache_write_1h_tokens": 4,
        "cache_read_tokens": 5,
        "server_tools": {"web_search": 6},
    }
    assert (view["cost"], view["cost_asked"], view["saved"]) == ("12.345678901", "0.000000000", "0.000000001")
    assert view["at"] == "2026-09-21T14:13:20.123456Z"
    assert list(view["attempts"][0].items()) == [
        ("endpoint", "a"),
        ("model", "m"),
        ("status", 529),
        ("error", "overloaded"),
        ("duration_ms", 12.345),
        ("cost", "0.000000007"),
    ]
    assert (view["attempts"][1]["duration_ms"], view["attempts"][1]["cost"]) == (1000.0, "0.999999999")


def test_pages_go_newest_first_and_meet_without_gap_or_overlap(books: Books) -> None:
    for n in range(25):
        books.add(at_ns=NOON_NS + n // 3)  # several at one instant
    books.ingest()
    expected = sorted(books.written, key=lambda one: (one.at_ns, books.written.index(one)), reverse=True)
    seen, cursor = [], None
    while True:
        page, cursor = books.table.calls(limit=4, cursor=cursor)
        seen += page
        if cursor is None:
            break
    assert [one.id for one in seen] == [one.id for one in expected]
    assert books.table.calls(limit=25)[1] is None


@pytest.mark.parametrize("cursor", ["", "x", "1", "1.", ".a", "9" * 20 + ".a", "1.a b", "1.a\n", f"{1 << 63}.a"])
def test_a_made_up_cursor_is_refused(books: Books, cursor: str) -> None:
    with pytest.raises(ValueError, match="cursor"):
        books.table.calls(cursor=cursor)


def test_limits_of_a_page(books: Books) -> None:
    for limit in (0, -1, 1001):
        with pytest.raises(ValueError, match="limit"):
            books.table.calls(limit=limit)


def test_filters_choose_calls_for_listing_and_for_spend(books: Books) -> None:
    base = books.add()
    for field, value in {
        "org": "o2", "team": "t2", "user": "u2", "key": "k2", "cost_center": "c2", "endpoint": "e2",
        "outcome": "refused", "session": "s2", "agent": "a2",
    }.items():  # fmt: skip
        books.add(**{field: value})
    asked = books.add(model_asked="opus")
    served = books.add(model_used="opus")
    tagged = books.add(tags={"experiment": "agent-x"})
    late = books.add(at_ns=NOON_NS + DAY_NS)
    books.ingest()
    for one in books.written[1:10]:
        field = next(f for f in Filters.__struct_fields__ if f not in ("tags", "model", "since_ns", "until_ns")
                     and getattr(one, f) != getattr(base, f))  # fmt: skip
        chosen = Filters(**{field: getattr(one, field)})
        assert books.table.calls(chosen)[0] == [one]
        assert [row.calls for row in books.table.spend([], chosen)] == [1]
    assert {c.id for c in books.table.calls(Filters(model="opus"))[0]} == {asked.id, served.id}
    assert books.table.calls(Filters(tags={"experiment": "agent-x"}))[0] == [tagged]
    assert books.table.calls(Filters(tags={"experiment": "agent-x", "project": "checkout"}))[0] == []
    assert books.table.calls(Filters(since_ns=late.at_ns))[0] == [late]
    assert len(books.table.calls(Filters(until_ns=late.at_ns))[0]) == len(books.written) - 1
    assert books.table.calls(Filters(user="u2", team="t2"))[0] == []


def test_spend_groups_add_up_exactly(books: Books) -> None:
    costs = [1, 10**18 + 1, 3, 2**53 + 1, 5, 0, 7]
    for n, cost in enumerate(costs):
        books.add(
            cost_nano=cost,
            user=f"u{n % 3}",
            at_ns=NOON_NS + (n % 2) * DAY_NS,
            tags={"project": f"p{n % 2}"} if n % 3 else {},
            usage=Usage(n, 2 * n, 3 * n, 4 * n, 5 * n),
        )
    books.ingest()
    (all_of_it,) = books.table.spend([])
    assert all_of_it.cost_nano == sum(costs)
    assert (all_of_it.input_tokens, all_of_it.cache_read_tokens) == (21, 105)
    for by in (["user"], ["user", "day"], ["tag:project"], ["tag:absent"], ["session", "model", "endpoint", "user"]):
        rows = books.table.spend(by)
        assert sum(row.cost_nano for row in rows) == sum(costs)
        assert sum(row.calls for row in rows) == len(costs)
        assert [row.cost_nano for row in rows] == sorted((row.cost_nano for row in rows), reverse=True)
        assert all(list(row.group) == by for row in rows)
    assert {row.group["day"] for row in books.table.spend(["day"])} == {"2026-03-01", "2026-03-02"}
    by_tag = {row.group["tag:project"]: row.calls for row in books.table.spend(["tag:project"])}
    assert by_tag == {"": 3, "p0": 2, "p1": 2}
    assert books.table.spend(["user"], Filters(user="nobody")) == []


def test_every_dimension_can_be_asked_for(books: Books) -> None:
    books.add()
    books.ingest()
    names = ["org", "team", "user", "key", "cost_center", "model", "model_asked", "endpoint", "provider", "session",
             "agent", "outcome", "day", "tag:project", "tag:it's"]  # fmt: skip
    (row,) = books.table.spend(names)
    assert row.group["model"] == "claude-sonnet-4-5"
    assert row.group["tag:project"] == "checkout"
    view = spend_view(row)
    sums = ["calls", "cost", "cost_asked", "saved", "saved_by", "cache_hits", "cache_asked", "hit_ratio", "usage"]
    assert list(view) == [*names, *sums]
    assert (view["cost"], view["calls"], view["usage"]["cache_read_tokens"]) == ("0.012345000", 1, 40)
    for wrong in ("", "cost_nano", "users", "tag:", 'tag:a"b', "tag:a\\b", "tag:" + "x" * 65):
        with pytest.raises(ValueError, match=r"dimension|tag"):
            books.table.spend([wrong])


def test_the_same_call_from_two_journals_counts_once(books: Books, new_writer: NewWriter) -> None:
    one = books.add()
    books.ingest()
    other = new_writer(books.journal_dir)
    other.append(KIND_CALL, encode(record(one.id, outcome="recovered", cost_nano=99)))
    assert books.ingest() == 1
    assert books.table.call(one.id) == one
    assert books.table.spend([])[0].cost_nano == one.cost_nano


def test_records_that_cannot_be_counted_are_named_and_the_rest_is_counted(books: Books) -> None:
    good = [books.add()]
    books.writer.append(KIND_CALL, b"\x91\x01")
    books.writer.append(KIND_CALL, encode(record("fg-x-1", cost_nano=1 << 63)))
    books.writer.append(77, b"another kind is another consumer's")
    good.append(books.add())
    assert books.ingest() == 5
    assert {one.id for one in books.table.calls()[0]} == {one.id for one in good}
    first = FRAME_BYTES + len(encode(good[0]))
    found = books.table.damages()
    assert [(epoch, place.segment, place.offset) for epoch, place, _ in found] == [
        (books.writer.epoch, 1, first),
        (books.writer.epoch, 1, first + FRAME_BYTES + 2),
    ]
    assert "record 2" in found[0][2]
    assert "64 bits" in found[1][2]


def test_damage_of_the_journal_is_kept_and_told_once(books: Books, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(4):
        books.add()
    path = segment_path(books.journal_dir, books.writer.epoch, 1)
    data = bytearray(path.read_bytes())
    data[FRAME_BYTES + 5] ^= 1
    path.write_bytes(data)
    ingestor = Ingestor(books.table, books.journal_dir)
    ingestor.catch_up()
    books.add()
    ingestor.catch_up()
    assert books.table.count() == 4
    assert len(books.table.damages()) == 1
    assert [str(path) in message for message in caplog.messages] == [True]


def test_pruning_takes_what_is_older_than_the_retention(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastgate.control.usage.PRUNE_ROWS", 2)
    for day in range(10):
        books.add(at_ns=NOON_NS + day * DAY_NS)
    books.ingest()
    assert books.table.prune(NOON_NS + 10 * DAY_NS, retention_days=4) == 6
    assert books.table.prune(NOON_NS + 10 * DAY_NS, retention_days=4) == 0
    assert {one.id for one in books.table.calls()[0]} == {one.id for one in books.written[6:]}
    assert books.table.call(books.written[0].id) is None
    assert books.ingest() == 0, "what was pruned does not come back"


def test_the_newest_revision_is_the_schema(books: Books) -> None:
    with books.table.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), usage_schema.metadata) == []
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == usage_schema.HEAD
    assert books.path.stat().st_mode & 0o777 == 0o600


def test_a_file_of_a_newer_version_is_refused(books: Books) -> None:
    connection = sqlite3.connect(books.path)
    connection.execute("UPDATE alembic_version SET version_num = 'u9999'")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="newer"):
        UsageTable(books.path)


def test_lookup_without_a_table_finds_nothing(tmp_path: Path, books: Books) -> None:
    assert lookup_call(tmp_path / "absent.sqlite", "fg-x-1") is None
    assert not (tmp_path / "absent.sqlite").exists()
    sqlite3.connect(tmp_path / "empty.sqlite").close()
    assert lookup_call(tmp_path / "empty.sqlite", "fg-x-1") is None
    assert lookup_call(books.path, "fg-x-1") is None


def test_no_call_has_a_number_beyond_63_bits(books: Books) -> None:
    books.add()
    books.ingest()
    for number in (str(1 << 63), "9" * 20, "9" * 5000):
        assert lookup_call(books.path, f"fg-06h1qprne0br-{number}") is None
        assert books.table.call(f"fg-06h1qprne0br-{number}") is None
    assert lookup_call(books.path, f"fg-06h1qprne0br-{(1 << 63) - 1}") is None


def test_lookup_works_beside_a_writer_and_after_it(books: Books) -> None:
    ids = Counter(books.add().id for _ in range(5))
    books.ingest()
    assert all(lookup_call(books.path, one) for one in ids)
    books.table.close()
    assert all(lookup_call(books.path, one) for one in ids)
