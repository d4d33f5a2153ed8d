"""What can be asked of the usage table: pages of calls and sums of spend. Sums are of integers and exact.

Owns filters, dimensions and cursors. Reads only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from heapq import nlargest
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, Text, and_, bindparam, cast, func, or_, select, tuple_

from fastgate._core.money import format_usd
from fastgate.control.cache_share import ANSWERED, ASKED, how_many
from fastgate.control.usage_schema import THREAD, calls, counted, epochs, kinds, offsets, threads
from fastgate.journal.format import call_number
from fastgate.journal.view import ratio, saved_view
from fastgate.times import NS

MAX_PAGE = 1000
"""Calls of one page: about 2 MB of JSON."""

MERGED_KINDS = 64
"""So many kinds of calls are looked up one by one for a page, 0.1 ms each; what is of more kinds is found sooner by
going back in time."""

FOCUS_PAGE = 500
"""Groups held in memory at a time while an export is written."""

DAY_NS = 24 * 3600 * 1_000_000_000

TAG_PREFIX = "tag:"
_TAG_NAME = re.compile(r'[^"\\\x00-\x1f]{1,64}')
"""Tag names that can stand in a JSON path; the directory allows fewer."""

_CURSOR = re.compile(r"(-?\d{1,19})\.([\x21-\x7e]{1,64})")

_DIMENSIONS: dict[str, ColumnElement[Any]] = {
    "org": calls.c.org,
    "team": calls.c.team,
    "user": calls.c.user,
    "key": calls.c.key,
    "cost_center": calls.c.cost_center,
    "model": calls.c.model_used,
    "model_asked": calls.c.model_asked,
    "endpoint": calls.c.endpoint,
    "provider": calls.c.provider,
    "session": calls.c.session,
    "agent": calls.c.agent,
    "outcome": calls.c.outcome,
    "cache": calls.c.cache,
    "namespace": calls.c.namespace,
    "day": cast(calls.c.at_ns // DAY_NS, Text),
    "month": func.strftime("%Y-%m", calls.c.at_ns // NS, "unixepoch"),
}

DIMENSIONS = (*_DIMENSIONS, TAG_PREFIX + "NAME")
"""What spend can be grouped by. `model` is the one that served the call; `day` and `month` are UTC's."""

_SUMS = (
    "cost_nano", "cost_asked_nano", "saved_nano", "saved_downgrade_nano", "saved_arbitration_nano", "input_tokens",
    "output_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "cache_read_tokens",
)  # fmt: skip

_COUNTS = ("cache_hits", "cache_asked")


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls: all that match every field that is given. `since_ns` is included, `until_ns` is not. `model` matches
    the model that was asked for or that served."""

    since_ns: int | None = None
    until_ns: int | None = None
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
    tags: dict[str, str] = {}


class SpendRow(msgspec.Struct, frozen=True, kw_only=True):
    """One group's sums. `group` names the dimensions asked for, in their order; a call without one has the value ''."""

    group: dict[str, str]
    calls: int
    cost_nano: int
    cost_asked_nano: int
    saved_nano: int
    saved_downgrade_nano: int
    saved_arbitration_nano: int
    input_tokens: int
    output_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    cache_read_tokens: int
    cache_hits: int
    cache_asked: int
    """Calls that a cache of this gateway answered, and those that it was asked about."""

    @property
    def saved_cache_nano(self) -> int:
        return self.saved_nano - self.saved_downgrade_nano - self.saved_arbitration_nano


class FocusGroup(msgspec.Struct, frozen=True, kw_only=True):
    """What one row of a FOCUS export sums: one UTC day (days since the epoch) of one of everything that is named.
    `tags` is JSON."""

    day: int
    org: str
    cost_center: str
    team: str
    user: str
    key: str
    tags: str
    model: str
    endpoint: str
    provider: str
    calls: int
    cost_nano: int
    saved_nano: int
    input_tokens: int
    output_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    cache_read_tokens: int


def spend_view(row: SpendRow) -> dict[str, Any]:
    """A row as the command line and the API show it: money in decimal USD, as in `call_view`."""
    return {
        **row.group,
        "calls": row.calls,
        "cost": format_usd(row.cost_nano),
        "cost_asked": format_usd(row.cost_asked_nano),
        "saved": format_usd(row.saved_nano),
        "saved_by": saved_view(row),
        "cache_hits": row.cache_hits,
        "cache_asked": row.cache_asked,
        "hit_ratio": ratio(row.cache_hits, row.cache_asked),
        "usage": {name: getattr(row, name) for name in _SUMS if name.endswith("_tokens")},
    }


_NEWEST = (counted.c.at_ns.desc(), counted.c.seq.desc())

Place = tuple[str, int, int]
"""Where in the journal a record stands: epoch, segment, offset."""


def page(connection: Connection, filters: Filters, limit: int, cursor: str | None) -> tuple[list[Place], str | None]:
    """Places of the records, newest first, and the cursor that goes on after the last."""
    if not 1 <= limit <= MAX_PAGE:
        raise ValueError(f"limit must lie in 1..{MAX_PAGE}, got {limit}")
    where = _times(filters)
    if cursor is not None:
        at_ns, after = parse_cursor(cursor)
        if not after.isdecimal() or int(after) >= 1 << 63:
            raise ValueError(f"{cursor!r} is not a cursor of this listing")
        where.append(tuple_(counted.c.at_ns, counted.c.seq) < tuple_(at_ns, int(after)))
    kind, thread = _of_kind(filters), _of_thread(filters)
    if thread is not None:
        where += _conditions(filters)
    elif kind is not None:
        some = connection.scalars(kind.limit(MERGED_KINDS + 1)).all()
        if len(some) <= MERGED_KINDS:
            where = [counted.c.seq.in_(_newest_of(connection, some, where, limit + 1))]
        else:
            where.append((counted.c.kind + 0).in_(kind))  # a sum has no index: they are looked for by time
    found = select(counted.c.at_ns, counted.c.seq, calls.c.epoch, counted.c.segment, counted.c.offset).where(*where)
    rows = connection.execute(calls.ask(found).order_by(*_NEWEST).limit(limit + 1)).all()
    following = f"{rows[limit - 1].at_ns}.{rows[limit - 1].seq}" if len(rows) > limit else None
    return [(row.epoch, row.segment, row.offset) for row in rows[:limit]], following


def _newest_of(
    connection: Connection, some: Sequence[int], where: Sequence[ColumnElement[bool]], most: int
) -> list[int]:
    """The newest calls of these kinds, by `seq`. An index has those of each in order, so this costs the same however
    many there are."""
    asked = select(counted.c.at_ns, counted.c.seq).where(counted.c.kind == bindparam("of"), *where)
    asked = asked.order_by(*_NEWEST).limit(most)
    found = (tuple(row) for of in some for row in connection.execute(asked, {"of": of}))
    return [seq for _, seq in nlargest(most, found)]


def spend(connection: Connection, by: Sequence[str], filters: Filters) -> list[SpendRow]:
    """Sums of each group, dearest first."""
    names = list(dict.fromkeys(by))
    groups = [dimension(name).label(f"group_{n}") for n, name in enumerate(names)]
    sums = [func.coalesce(func.sum(calls.c[name]), 0).label(name) for name in _SUMS]
    sums += [how_many(ANSWERED).label("cache_hits"), how_many(ASKED).label("cache_asked")]
    asked = select(*groups, func.count().label("calls"), *sums).where(*_conditions(filters))
    if groups:
        asked = asked.group_by(*groups)
    rows = connection.execute(calls.ask(asked).order_by(func.sum(calls.c.cost_nano).desc(), *groups)).all()
    return [
        SpendRow(
            group={name: _shown(name, row[n]) for n, name in enumerate(names)},
            calls=row.calls,
            **{name: getattr(row, name) for name in (*_SUMS, *_COUNTS)},
        )
        for row in rows
    ]


def total(rows: Sequence[SpendRow]) -> SpendRow:
    """The sum of all groups: of the very rows that are shown, whatever is counted meanwhile."""
    sums = {name: sum(getattr(row, name) for row in rows) for name in ("calls", *_SUMS, *_COUNTS)}
    return SpendRow(group={}, **sums)


def nothing(group: dict[str, str]) -> SpendRow:
    """A group without a call."""
    return SpendRow(group=group, calls=0, **dict.fromkeys((*_SUMS, *_COUNTS), 0))


def daily(connection: Connection, by: Sequence[str], filters: Filters) -> dict[tuple[str, ...], dict[int, int]]:
    """Cost of each day (days since the epoch) of each group."""
    names = list(dict.fromkeys(by))
    day = calls.c.at_ns // DAY_NS
    groups = [dimension(name).label(f"group_{n}") for n, name in enumerate(names)]
    asked = select(*groups, day, func.sum(calls.c.cost_nano)).where(*_conditions(filters)).group_by(*groups, day)
    found: dict[tuple[str, ...], dict[int, int]] = {}
    for *values, at_day, cost_nano in connection.execute(calls.ask(asked)):
        shown = tuple(_shown(name, value) for name, value in zip(names, values, strict=True))
        found.setdefault(shown, {})[at_day] = cost_nano
    return found


def focus_groups(connection: Connection, filters: Filters) -> Iterator[FocusGroup]:
    """What a FOCUS export lists, day by day: calls that reached a provider or cost something."""
    columns = [
        (calls.c.at_ns // DAY_NS).label("day"),
        *(calls.c[name] for name in ("org", "cost_center", "team", "user", "key")),
        calls.c.tags,
        calls.c.model_used.label("model"),
        calls.c.endpoint,
        calls.c.provider,
    ]
    summed = [func.sum(calls.c[name]).label(name) for name in _SUMS if name in FocusGroup.__struct_fields__]
    reached = or_(calls.c.endpoint != "", calls.c.cost_nano != 0)
    asked = select(*columns, func.count().label("calls"), *summed).where(reached, *_conditions(filters))
    asked = calls.ask(asked).group_by(*columns).order_by(*columns)
    for row in connection.execution_options(yield_per=FOCUS_PAGE).execute(asked):
        yield FocusGroup(**row._mapping)


def dimension(name: str) -> ColumnElement[Any]:
    """The column behind a name of `--by`. ValueError if there is none."""
    if name.startswith(TAG_PREFIX):
        return func.coalesce(_tag(name.removeprefix(TAG_PREFIX)), "")
    column = _DIMENSIONS.get(name)
    if column is None:
        raise ValueError(f"spend has no dimension {name!r}; there are {', '.join(DIMENSIONS)}")
    return column


def _tag(name: str) -> ColumnElement[Any]:
    if not _TAG_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a tag's name")
    return func.json_extract(calls.c.tags, f'$."{name}"')


def _shown(name: str, value: Any) -> str:
    if name == "day":
        return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=int(value)):%Y-%m-%d}"
    return str(value)


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    """Kinds and threads are chosen among the few that there are, not call by call."""
    found = _times(filters)
    for column, chosen in ((counted.c.kind, _of_kind(filters)), (counted.c.thread, _of_thread(filters))):
        if chosen is not None:
            found.append(column.in_(chosen))
    return found


def _times(filters: Filters) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if filters.since_ns is not None:
        found.append(counted.c.at_ns >= filters.since_ns)
    if filters.until_ns is not None:
        found.append(counted.c.at_ns < filters.until_ns)
    return found


def _of_kind(filters: Filters) -> Select[Any] | None:
    """The kinds that are asked for; None: all."""
    found: list[ColumnElement[bool]] = [
        kinds.c[name] == value
        for name in ("org", "team", "user", "key", "cost_center", "endpoint", "outcome")
        if (value := getattr(filters, name)) is not None
    ]
    if filters.model is not None:
        found.append(or_(kinds.c.model_used == filters.model, kinds.c.model_asked == filters.model))
    found.extend(_tag(name) == value for name, value in filters.tags.items())
    return select(kinds.c.id).where(*found) if found else None


def _of_thread(filters: Filters) -> Select[Any] | None:
    found = [threads.c[name] == value for name in THREAD if (value := getattr(filters, name)) is not None]
    return select(threads.c.id).where(*found) if found else None


def named(call_id: str) -> ColumnElement[bool]:
    """The call with this id. ValueError: no call has such an id."""
    epoch, number = call_number(call_id)
    return and_(counted.c.worker == select(epochs.c.id).where(epochs.c.name == epoch).scalar_subquery(),
                counted.c.number == number)  # fmt: skip


TOOK_NOTHING = ~select(counted.c.seq).where(counted.c.worker == epochs.c.id).exists()
"""Of an epoch: it took no call that is still stored."""

EPOCHS_AT_ONCE = 10_000
"""In one statement; SQLite takes 32,766 (its limit on variables)."""


def epochs_over(connection: Connection) -> Sequence[int]:
    """Epochs that no stored call is of, nor recorded in, and that can get none: their journal is deleted."""
    left = epochs.c.name.in_(select(offsets.c.epoch))
    records = epochs.c.id.in_(select(counted.c.journal).distinct())
    found = connection.scalars(select(epochs.c.id).where(~left, TOOK_NOTHING).limit(EPOCHS_AT_ONCE)).all()
    if not found:
        return found
    return connection.scalars(select(epochs.c.id).where(epochs.c.id.in_(found), ~records)).all()


def parse_cursor(cursor: str) -> tuple[int, str]:
    match = _CURSOR.fullmatch(cursor)
    if match is None or int(match[1]) >= 1 << 63:
        raise ValueError(f"{cursor!r} is not a cursor of this listing")
    return int(match[1]), match[2]
