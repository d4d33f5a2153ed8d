"""What can be asked of the usage table: pages of calls and sums of spend. Sums are of integers and exact.

Owns filters, dimensions and cursors. Reads only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Text, and_, cast, func, or_, select, tuple_

from fastgate._core.money import format_usd
from fastgate.control.cache_share import ANSWERED, ASKED, counted
from fastgate.control.usage_schema import calls
from fastgate.journal.view import ratio, saved_view
from fastgate.times import NS

MAX_PAGE = 1000
"""Calls of one page: about 2 MB of JSON."""

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
    `tags` is JSON, empty where there are none."""

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


Place = tuple[str, int, int]
"""Where in the journal a record stands: epoch, segment, offset."""


def page(connection: Connection, filters: Filters, limit: int, cursor: str | None) -> tuple[list[Place], str | None]:
    """Places of the records, newest first, and the cursor that goes on after the last."""
    if not 1 <= limit <= MAX_PAGE:
        raise ValueError(f"limit must lie in 1..{MAX_PAGE}, got {limit}")
    found = select(calls.c.at_ns, calls.c.id, calls.c.epoch, calls.c.segment, calls.c.offset)
    found = found.where(*_conditions(filters)).order_by(calls.c.at_ns.desc(), calls.c.id.desc()).limit(limit + 1)
    if cursor is not None:
        at_ns, call_id = parse_cursor(cursor)
        found = found.where(tuple_(calls.c.at_ns, calls.c.id) < tuple_(at_ns, call_id))
    rows = connection.execute(found).all()
    following = f"{rows[limit - 1].at_ns}.{rows[limit - 1].id}" if len(rows) > limit else None
    return [(row.epoch, row.segment, row.offset) for row in rows[:limit]], following


def spend(connection: Connection, by: Sequence[str], filters: Filters) -> list[SpendRow]:
    """Sums of each group, dearest first."""
    names = list(dict.fromkeys(by))
    groups = [dimension(name).label(f"group_{n}") for n, name in enumerate(names)]
    sums = [func.coalesce(func.sum(calls.c[name]), 0).label(name) for name in _SUMS]
    sums += [counted(ANSWERED).label("cache_hits"), counted(ASKED).label("cache_asked")]
    asked = select(*groups, func.count().label("calls"), *sums).where(*_conditions(filters))
    if groups:
        asked = asked.group_by(*groups)
    rows = connection.execute(asked.order_by(func.sum(calls.c.cost_nano).desc(), *groups)).all()
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
    for *values, at_day, cost_nano in connection.execute(asked):
        shown = tuple(_shown(name, value) for name, value in zip(names, values, strict=True))
        found.setdefault(shown, {})[at_day] = cost_nano
    return found


def focus_groups(connection: Connection, filters: Filters) -> Iterator[FocusGroup]:
    """What a FOCUS export lists, day by day: calls that reached a provider or cost something."""
    columns = [
        (calls.c.at_ns // DAY_NS).label("day"),
        *(calls.c[name] for name in ("org", "cost_center", "team", "user", "key")),
        func.coalesce(cast(calls.c.tags, Text), "").label("tags"),
        calls.c.model_used.label("model"),
        calls.c.endpoint,
        calls.c.provider,
    ]
    summed = [func.sum(calls.c[name]).label(name) for name in _SUMS if name in FocusGroup.__struct_fields__]
    reached = or_(calls.c.endpoint != "", calls.c.cost_nano != 0)
    asked = select(*columns, func.count().label("calls"), *summed).where(reached, *_conditions(filters))
    for row in connection.execution_options(yield_per=FOCUS_PAGE).execute(asked.group_by(*columns).order_by(*columns)):
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
    found: list[ColumnElement[bool]] = []
    if filters.since_ns is not None:
        found.append(calls.c.at_ns >= filters.since_ns)
    if filters.until_ns is not None:
        found.append(calls.c.at_ns < filters.until_ns)
    for name in ("org", "team", "user", "key", "cost_center", "endpoint", "outcome", "session", "agent"):
        value = getattr(filters, name)
        if value is not None:
            found.append(calls.c[name] == value)
    if filters.model is not None:
        found.append(or_(calls.c.model_used == filters.model, calls.c.model_asked == filters.model))
    found.extend(and_(_tag(name) == value) for name, value in filters.tags.items())
    return found


def parse_cursor(cursor: str) -> tuple[int, str]:
    match = _CURSOR.fullmatch(cursor)
    if match is None or int(match[1]) >= 1 << 63:
        raise ValueError(f"{cursor!r} is not a cursor of this listing")
    return int(match[1]), match[2]
