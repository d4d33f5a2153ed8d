"""Spend reports against the journal they come from: sums, FOCUS rows and forecasts, over any calls."""

from __future__ import annotations

import csv
import io
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgate.cells import harmless
from fastgate.control import calls as calls_module
from fastgate.control.calls import Calls, Query
from fastgate.control.errors import OperationError
from fastgate.control.focus import COLUMNS
from fastgate.control.forecast import DAY_NS, HISTORY_DAYS, METHOD, PERIODS, RATE_METHOD, bounds, forecast
from fastgate.control.ingest import Ingestor
from fastgate.control.usage import UsageTable
from fastgate.journal import KIND_CALL, JournalReader, JournalWriter, call_id
from fastgate.record import CallRecord, Usage
from fastgate.snapshot import BudgetRow
from fastgate.times import NS, rfc3339
from tests.support.flights import decode_record, encode, record

DAY_ONE = int(datetime(2026, 1, 30, tzinfo=UTC).timestamp()) // 86400
NOW_NS = int(datetime(2026, 11, 26, 15, tzinfo=UTC).timestamp()) * NS

names = st.sampled_from(["", "a", "b", "=1+1", 'ü,"x"\n'])
CALLS = st.lists(
    st.fixed_dictionaries(
        {
            "at_ns": st.integers(DAY_ONE * DAY_NS, (DAY_ONE + 40) * DAY_NS),
            "org": st.sampled_from(["acme", ""]),
            "team": names,
            "user": names,
            "key": names,
            "cost_center": names,
            "model_used": names,
            "endpoint": names,
            "provider": st.sampled_from(["", "anthropic", "bedrock", "compatible"]),
            "session": names,
            "cache": st.sampled_from(["hit", "hit-inflight", "hit-semantic", "miss", "refresh", "bypass"]),
            "agent": names,
            "tags": st.dictionaries(st.sampled_from(["project", "it's"]), names, max_size=2),
            "cost_nano": st.integers(0, 10**15),
            "saved_nano": st.integers(-(10**12), 10**12),
            "saved_downgrade_nano": st.integers(-(10**12), 10**12),
            "saved_arbitration_nano": st.integers(-(10**12), 10**12),
            "usage": st.builds(Usage, *[st.integers(0, 10**9)] * 5),
        }
    ),
    max_size=30,
)
DIMENSIONS = ("org", "team", "user", "key", "cost_center", "model", "endpoint", "session", "agent", "day", "month",
              "tag:project")  # fmt: skip


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    with Books(tmp_path) as books:
        yield books


class Books:
    """A journal, the table made from it, and the questions that reports ask."""

    def __init__(self, folder: Path, changes: Sequence[dict[str, Any]] = ()) -> None:
        self.journal_dir = folder / "journal"
        with closing(JournalWriter.create(self.journal_dir)) as writer:
            for n, change in enumerate(changes, 1):
                writer.append(KIND_CALL, encode(record(call_id(writer.epoch, n), **change)))
        self.table = UsageTable(folder / "usage.sqlite")
        Ingestor(self.table, self.journal_dir).catch_up()
        self.calls = Calls(self.table, lambda: b"p" * 32)

    def __enter__(self) -> Books:
        return self

    def __exit__(self, *_: object) -> None:
        self.table.close()

    def journal(self) -> list[CallRecord]:
        reader = JournalReader(self.journal_dir)
        return [decode_record(one.body) for epoch in reader.epochs() for one in reader.read(epoch).records]

    def focus(self, query: Query | None = None) -> list[dict[str, str]]:
        text = b"".join(self.calls.focus(query or Query())).decode()
        return list(csv.DictReader(io.StringIO(text, newline="")))


def budget_row(key: str) -> BudgetRow:
    """A budget of all that the key ever does."""
    nothing: Any = ()
    return BudgetRow("b", "acme", "key", key, False, (), "total", 0, "UTC", 1, NS, True, nothing, nothing, 0)


def group_of(one: CallRecord, by: Sequence[str]) -> tuple[str, ...]:
    day = datetime.fromtimestamp(one.at_ns // NS, UTC)
    special = {"model": one.model_used, "day": f"{day:%Y-%m-%d}", "month": f"{day:%Y-%m}"}
    return tuple(
        special[name] if name in special else one.tags.get(name[4:], "") if name[:4] == "tag:" else getattr(one, name)
        for name in by
    )


@pytest.mark.promise("P-08", bound="reports and exports are the journal's sums to the nano-dollar")
@given(CALLS, st.lists(st.sampled_from(DIMENSIONS), unique=True, max_size=4), st.data())
@settings(max_examples=25)
def test_sums_are_the_journals_to_the_nano_dollar(
    changes: list[dict[str, Any]], by: list[str], data: st.DataObject
) -> None:
    since_ns = data.draw(st.none() | st.integers(DAY_ONE * DAY_NS, (DAY_ONE + 40) * DAY_NS))
    since_ns = since_ns and since_ns // 1_000_000 * 1_000_000
    query = Query(since=None if since_ns is None else rfc3339(since_ns), team=data.draw(st.none() | names))
    with tempfile.TemporaryDirectory() as folder, Books(Path(folder), changes) as books:
        chosen = [
            one for one in books.journal()
            if (since_ns is None or one.at_ns >= since_ns) and (query.team is None or one.team == query.team)
        ]  # fmt: skip
        wanted: dict[tuple[str, ...], tuple[int, int]] = defaultdict(lambda: (0, 0))
        for one in chosen:
            count, nano = wanted[group_of(one, by)]
            wanted[group_of(one, by)] = (count + 1, nano + one.cost_nano)
        spend = books.calls.spend(by, query)
        found = {tuple(item[name] for name in by): (item["calls"], Decimal(item["cost"])) for item in spend.items}
        if by:
            assert found == {group: (count, Decimal(nano) / NS) for group, (count, nano) in wanted.items()}
        assert Decimal(spend.total["cost"]) == Decimal(sum(one.cost_nano for one in chosen)) / NS
        for one in (*spend.items, spend.total):
            assert sum(map(Decimal, one["saved_by"].values())) == Decimal(one["saved"])
        by_cause = {cause: Decimal(nano) for cause, nano in spend.total["saved_by"].items()}
        assert by_cause == {
            "cache": Decimal(sum(one.saved_cache_nano for one in chosen)) / NS,
            "downgrade": Decimal(sum(one.saved_downgrade_nano for one in chosen)) / NS,
            "arbitration": Decimal(sum(one.saved_arbitration_nano for one in chosen)) / NS,
        }
        answered = [one for one in chosen if one.cache.startswith("hit")]
        asked = [one for one in chosen if one.cache != "bypass"]
        assert (spend.total["cache_hits"], spend.total["cache_asked"]) == (len(answered), len(asked))
        assert all(0 <= Decimal(one["hit_ratio"]) <= 1 for one in spend.items)
        for key in {one.key for one in books.journal() if one.key}:
            of_key = [one for one in books.journal() if one.key == key]
            share = books.calls.cache_share(budget_row(key))
            hits = [one for one in of_key if one.cache.startswith("hit")]
            assert (share.hits, share.asked) == (len(hits), sum(one.cache != "bypass" for one in of_key))
            assert Decimal(share.saved) == Decimal(sum(one.saved_nano for one in hits)) / NS
        rows = books.focus(query)
        assert sum((Decimal(row["BilledCost"]) for row in rows), Decimal(0)) == Decimal(spend.total["cost"])
        reached = [one for one in chosen if one.endpoint or one.cost_nano]
        assert sum(int(row["x_Calls"]) for row in rows) == len(reached)


NOT_NULL = {
    "BilledCost", "BillingAccountId", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory",
    "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost",
    "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName", "ServiceCategory", "ServiceName", "SkuId",
    "ConsumedQuantity", "ConsumedUnit", "PricingCategory",
}  # fmt: skip
"""Columns of FOCUS 1.2 that a usage charge which is no correction must fill."""

MANDATORY = (NOT_NULL - {"SkuId", "ConsumedQuantity", "ConsumedUnit", "PricingCategory"}) | {
    "BillingAccountName", "ChargeClass", "ChargeDescription",
}  # fmt: skip
"""The 21 columns that FOCUS 1.2 wants in every file."""

MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
DECIMAL = re.compile(r"-?\d+(\.\d+)?")


@given(CALLS)
@settings(max_examples=15)
def test_every_focus_row_keeps_the_specifications_rules(changes: list[dict[str, Any]]) -> None:
    assert len(MANDATORY) == 21
    assert set(COLUMNS) >= MANDATORY | NOT_NULL
    standard = [name for name in COLUMNS if not name.startswith("x_")]
    assert list(COLUMNS) == sorted(standard) + sorted(set(COLUMNS) - set(standard))
    with tempfile.TemporaryDirectory() as folder, Books(Path(folder), changes) as books:
        for row in books.focus():
            assert tuple(row) == COLUMNS
            assert not [name for name in NOT_NULL if not row[name]]
            for name in COLUMNS:
                if name.endswith(("Cost", "Quantity", "Tokens")):
                    assert DECIMAL.fullmatch(row[name]), name
                if "PeriodStart" in name or "PeriodEnd" in name:
                    assert MOMENT.fullmatch(row[name])
            begin, end = row["ChargePeriodStart"], row["ChargePeriodEnd"]
            assert row["BillingPeriodStart"] <= begin < end <= row["BillingPeriodEnd"]
            assert row["BillingPeriodStart"][8:10] == row["BillingPeriodEnd"][8:10] == "01"
            assert (row["BillingCurrency"], row["ChargeCategory"], row["ChargeClass"]) == ("USD", "Usage", "")
            assert row["BilledCost"] == row["EffectiveCost"] == row["ContractedCost"] == row["ListCost"]
            tags = msgspec.json.decode(row["Tags"], type=dict[str, str])
            assert tags.get("cost_center", "") == row["x_CostCenter"]
            assert not row["SkuId"].startswith("=")


def test_an_export_of_many_rows_comes_in_pieces_and_whole(books: Books) -> None:
    with closing(JournalWriter.create(books.journal_dir)) as writer:
        for n in range(1, 1302):
            change = {"key": f"key-{n:04d}", "cost_nano": n}
            writer.append(KIND_CALL, encode(record(call_id(writer.epoch, n), **change)))
    Ingestor(books.table, books.journal_dir).catch_up()
    pieces = list(books.calls.focus(Query()))
    assert len(pieces) > 2
    rows = list(csv.DictReader(io.StringIO(b"".join(pieces).decode(), newline="")))
    assert [row["ResourceId"] for row in rows] == [f"key-{n:04d}" for n in range(1, 1302)]
    assert sum(Decimal(row["BilledCost"]) for row in rows) == Decimal(sum(range(1, 1302))) / NS


# -- forecast ---------------------------------------------------------------------------------------------------------

days = st.dictionaries(st.integers(0, HISTORY_DAYS), st.integers(0, 10**14), max_size=HISTORY_DAYS)


@given(st.sampled_from(PERIODS), days, st.integers(0, DAY_NS - 1))
def test_a_forecast_is_at_least_what_is_spent_and_lies_in_its_range(
    period: Any, ago: dict[int, int], of_day: int
) -> None:
    now_ns = NOW_NS // DAY_NS * DAY_NS + of_day
    today = now_ns // DAY_NS
    found = forecast(period, now_ns, {today - n: nano for n, nano in ago.items()})
    assert found.start_ns <= now_ns < found.end_ns
    assert found.spent_nano == sum(nano for n, nano in ago.items() if (today - n) * DAY_NS >= found.start_ns)
    assert found.spent_nano <= found.low_nano <= found.expected_nano <= found.high_nano
    assert all(type(value) is int for value in (found.expected_nano, found.low_nano, found.high_nano))


@pytest.mark.parametrize("period", PERIODS)
def test_what_repeats_every_week_is_foreseen_exactly(period: Any) -> None:
    """Weekdays 700, weekends 7: by midnight the forecast is the calendar's own sum, and the range is nothing."""
    midnight_ns = NOW_NS // DAY_NS * DAY_NS
    today = midnight_ns // DAY_NS

    def cost(day: int) -> int:
        return 7 if (day + 3) % 7 >= 5 else 700  # 1970-01-01 was a Thursday

    start_ns, end_ns = bounds(period, midnight_ns)
    first = min(start_ns // DAY_NS, today - HISTORY_DAYS)
    found = forecast(period, midnight_ns, {day: cost(day) for day in range(first, today)})
    assert found.expected_nano == sum(cost(day) for day in range(start_ns // DAY_NS, end_ns // DAY_NS))
    assert found.low_nano == found.high_nano == found.expected_nano
    assert (found.days, found.method) == (HISTORY_DAYS, METHOD)


def test_the_first_day_is_forecast_by_its_rate() -> None:
    noon_ns = NOW_NS // DAY_NS * DAY_NS + DAY_NS // 2
    found = forecast("day", noon_ns, {noon_ns // DAY_NS: 1000})
    assert (found.spent_nano, found.expected_nano, found.method) == (1000, 2000, RATE_METHOD)
    assert forecast("month", noon_ns, {}).expected_nano == 0


def test_periods_meet_without_gap() -> None:
    for period in PERIODS:
        at_ns = int(datetime(2027, 1, 31, 23, 59, 59, tzinfo=UTC).timestamp()) * NS
        for _ in range(20):
            start_ns, end_ns = bounds(period, at_ns)  # type: ignore[arg-type]
            assert start_ns <= at_ns < end_ns
            assert bounds(period, end_ns - 1) == (start_ns, end_ns)  # type: ignore[arg-type]
            assert bounds(period, end_ns)[0] == end_ns  # type: ignore[arg-type]
            at_ns = end_ns


def test_a_report_with_forecast_sums_the_running_period_and_lists_who_spent_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls_module, "wall_ns", lambda: NOW_NS)
    changes = [{"at_ns": NOW_NS - n * DAY_NS, "user": "busy", "cost_nano": 10} for n in range(20)]
    changes += [{"at_ns": NOW_NS - 27 * DAY_NS, "user": "gone", "cost_nano": 70}]
    with Books(tmp_path, changes) as books:
        spend = books.calls.spend(["user"], Query(), "week")
        by_user = {item["user"]: item for item in spend.items}
        assert (by_user["busy"]["cost"], by_user["gone"]["cost"]) == ("0.000000040", "0.000000000")
        assert by_user["busy"]["forecast"]["to"] == "2026-11-30T00:00:00.000Z"
        assert Decimal(by_user["busy"]["forecast"]["expected"]) == Decimal("0.000000073")
        assert spend.total["cost"] == "0.000000040"
        assert Decimal(spend.total["forecast"]["expected"]) >= Decimal(by_user["busy"]["forecast"]["expected"])
        for by, query, period in (
            (["day"], Query(), "week"),
            ([], Query(since="2026-01-01"), "week"),
            ([], Query(), "x"),
        ):
            with pytest.raises(OperationError, match="forecast"):
                books.calls.spend(by, query, period)


def test_what_a_spreadsheet_would_run_is_text() -> None:
    assert [harmless(text) for text in ("=1+1", "+1", "-1", "@x", "\tx", "alice", "", "a=b")] == [
        "'=1+1", "'+1", "'-1", "'@x", "'\tx", "alice", "", "a=b",
    ]  # fmt: skip
