"""Finished calls and what they cost, as people ask for them: filters in words, answers in the shapes of the API."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, cast, get_args

import msgspec

from fastgate._core.money import format_usd
from fastgate.clock import wall_ns
from fastgate.control import shapes, usage_queries
from fastgate.control.cache_share import share_of
from fastgate.control.errors import OperationError, moment
from fastgate.control.focus import csv_chunks
from fastgate.control.forecast import PERIODS, Forecast, Period, bounds, forecast, history_since_ns
from fastgate.control.shapes import Page
from fastgate.control.shapes_cache import CacheShare
from fastgate.control.sightings import Seen
from fastgate.control.usage import UsageTable
from fastgate.control.usage_queries import Filters, SpendRow, spend_view
from fastgate.guards.rule import KINDS
from fastgate.guards.sightings import key_of as sighting_key
from fastgate.guards.sightings import mark_of
from fastgate.journal.view import call_view
from fastgate.journal.view import moment as moment_text
from fastgate.record import Outcome
from fastgate.snapshot import BudgetRow
from fastgate.stores.engine import reading
from fastgate.times import rfc3339

T = TypeVar("T")

TAG_SEPARATOR = "="

OUTCOMES: tuple[str, ...] = get_args(Outcome)

SHA256 = re.compile(r"[0-9A-Fa-f]{64}")


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls. `tag` holds NAME=VALUE; `model` is the one asked for or the one that served."""

    since: str | None = None
    until: str | None = None
    org: str | None = None
    team: str | None = None
    user: str | None = None
    key: str | None = None
    cost_center: str | None = None
    model: str | None = None
    endpoint: str | None = None
    outcome: str | None = None
    session: str | None = None
    agent: str | None = None
    tag: Sequence[str] = ()


class Calls:
    """Questions to the usage table."""

    def __init__(self, table: UsageTable, pepper: Callable[[], bytes]) -> None:
        """`pepper` reads the state directory's."""
        self.table = table
        self.pepper = pepper

    def list(self, query: Query, limit: int, cursor: str | None) -> Page[shapes.Call]:
        """Newest first."""
        filters = filters_of(query)
        found, following = _asked(lambda: self.table.calls(filters, limit, cursor))
        judged = self.table.judgements([record.id for record in found])
        views = (call_view(record, judged.get(record.id)) for record in found)
        return Page([msgspec.convert(view, shapes.Call) for view in views], following)

    def seen(self, sha256: str, path: str, limit: int, cursor: str | None) -> Page[shapes.Sighting]:
        """Where a text was new, newest first."""
        if bool(sha256) == bool(path):
            raise OperationError("invalid", "audit find: exactly one of sha256 and path is needed.")
        if sha256 and not SHA256.fullmatch(sha256):
            raise OperationError("invalid", f"sha256: {sha256[:80]!r} is not 64 hexadecimal digits.")
        mark = mark_of(sighting_key(self.pepper()), bytes.fromhex(sha256)) if sha256 else None
        found, following = _asked(lambda: self.table.seen(mark, path, limit, cursor))
        return Page([sighting_view(one) for one in found], following)

    def show(self, call_id: str) -> shapes.Call:
        record = self.table.call(call_id)
        if record is None:
            raise OperationError("not_found", f"there is no finished call {call_id}.")
        judgement = self.table.judgements([call_id]).get(call_id)
        return msgspec.convert(call_view(record, judgement), shapes.Call)

    def cache_share(self, row: BudgetRow) -> CacheShare:
        """Of the calls that a budget selects, in its period now."""
        return share_of(self.table.engine, row, wall_ns())

    def spend(self, by: Sequence[str], query: Query, period: str = "") -> shapes.Spend:
        """Sums by group. With a `period` each item, and the total, also says what that period will have cost at its
        end: the sums are then of the period so far, and `since` and `until` do not apply."""
        filters = filters_of(query)
        if period:
            return self._forecast(by, query, filters, period)
        rows = _asked(lambda: self.table.spend(by, filters))
        total = usage_queries.total(rows)
        return shapes.Spend([spend_view(row) for row in rows] if by else [], spend_view(total))

    def focus(self, query: Query) -> Iterator[bytes]:
        """The FOCUS export as CSV, in pieces. Reads one consistent view of the table while it is consumed."""
        filters = filters_of(query)

        def chunks() -> Iterator[bytes]:
            with reading(self.table.engine) as connection:
                yield from csv_chunks(usage_queries.focus_groups(connection, filters))

        return chunks()

    def _forecast(self, by: Sequence[str], query: Query, filters: Filters, period: str) -> shapes.Spend:
        if period not in PERIODS:
            raise OperationError("invalid", f"forecast: there is no period {period!r}; there are {', '.join(PERIODS)}.")
        if query.since is not None or query.until is not None or {"day", "month"} & set(by):
            told = "a forecast is of the period that is running: it takes no since, no until and no day or month."
            raise OperationError("invalid", told)
        named = cast(Period, period)
        now_ns = wall_ns()
        start_ns, end_ns = bounds(named, now_ns)
        past = msgspec.structs.replace(filters, since_ns=history_since_ns(named, now_ns))
        running = msgspec.structs.replace(filters, since_ns=start_ns, until_ns=end_ns)

        def look() -> tuple[list[SpendRow], dict[tuple[str, ...], dict[int, int]]]:
            with reading(self.table.engine) as connection:
                return usage_queries.spend(connection, by, running), usage_queries.daily(connection, by, past)

        rows, daily = _asked(look)
        names = list(dict.fromkeys(by))
        known = {tuple(row.group.values()) for row in rows}
        rows += [usage_queries.nothing(dict(zip(names, group, strict=True))) for group in daily if group not in known]
        items = []
        for row in rows if by else []:
            found = forecast(named, now_ns, daily.get(tuple(row.group.values()), {}))
            items.append({**spend_view(row), "forecast": forecast_view(found)})
        everything: dict[int, int] = {}
        for days in daily.values():
            for day, nano in days.items():
                everything[day] = everything.get(day, 0) + nano
        whole = forecast(named, now_ns, everything)
        return shapes.Spend(items, {**spend_view(usage_queries.total(rows)), "forecast": forecast_view(whole)})

    def outcomes(self) -> dict[str, dict[str, Any]]:
        """Sums of each outcome since the table began."""
        return {row.group["outcome"]: spend_view(row) for row in self.table.spend(["outcome"])}


def sighting_view(seen: Seen) -> shapes.Sighting:
    kind = KINDS[seen.kind] if 0 <= seen.kind < len(KINDS) else ""
    said = seen._asdict() | {"kind": kind}
    return shapes.Sighting(at=moment_text(said.pop("at_ns")), call=said.pop("id"), **said)


def filters_of(query: Query) -> Filters:
    """The filters as the table takes them. Raises OperationError for a moment, tag or outcome that is none."""
    if query.outcome is not None and query.outcome not in OUTCOMES:
        raise OperationError("invalid", f"outcome: {query.outcome[:80]!r} is none; there are {', '.join(OUTCOMES)}.")
    named = {name: getattr(query, name) for name in Filters.__struct_fields__ if hasattr(query, name)}
    tags = dict(_tag(text) for text in query.tag)
    since_ns = None if query.since is None else moment("since", query.since)
    until_ns = None if query.until is None else moment("until", query.until)
    return Filters(since_ns=since_ns, until_ns=until_ns, tags=tags, **named)


def forecast_view(found: Forecast) -> dict[str, Any]:
    """A forecast as the command line and the API show it."""
    return {
        "from": rfc3339(found.start_ns),
        "to": rfc3339(found.end_ns),
        "expected": format_usd(found.expected_nano),
        "low": format_usd(found.low_nano),
        "high": format_usd(found.high_nano),
        "days": found.days,
        "method": found.method,
    }


def _tag(text: str) -> tuple[str, str]:
    name, separator, value = text.partition(TAG_SEPARATOR)
    if not separator or not name:
        raise OperationError("invalid", f"tag: {text!r} is not NAME=VALUE.")
    return name, value


def _asked(question: Callable[[], T]) -> T:
    try:
        return question()
    except ValueError as error:
        raise OperationError("invalid", f"{error}.") from None
