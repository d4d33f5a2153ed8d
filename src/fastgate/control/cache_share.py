"""How much of what could be answered again was: the hit ratio of the calls that a budget selects, in its period now.

Reads the usage table. `ASKED` are the calls that the cache was asked about, `ANSWERED` those of them that it answered.
"""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Engine, case, func, select

from fastgate._core.money import format_usd
from fastgate.control.shapes_cache import CacheShare
from fastgate.control.usage_schema import calls, counted
from fastgate.journal.view import ratio
from fastgate.selection import Selection, since_of, step_of
from fastgate.snapshot import BudgetRow, KeyRow
from fastgate.stores.engine import reading

ANSWERED = ("hit", "hit-inflight", "hit-semantic")
ASKED = (*ANSWERED, "miss", "refresh")

LEVELS = {"org": calls.c.org, "team": calls.c.team, "user": calls.c.user, "key": calls.c.key}


def how_many(kinds: tuple[str, ...]) -> ColumnElement[int]:
    """How many calls of a group were of these kinds."""
    return func.coalesce(func.sum(case((calls.c.cache.in_(kinds), 1), else_=0)), 0)


def share_of(engine: Engine, row: BudgetRow, now_ns: int) -> CacheShare:
    """Of the calls that the budget selects, since its period or window began."""
    start_ns, end_ns = step_of(row, now_ns)
    from_ns = since_of(row, start_ns, end_ns) + 1 if row.period == "rolling" else start_ns
    who = [calls.c[name] for name in ("org", "team", "user", "key", "cost_center", "session", "tags", "model_used")]
    where = [calls.c.at_ns >= from_ns, calls.c.cache.in_(ASKED)]
    if row.level in LEVELS:
        where.append(LEVELS[row.level] == row.of)
    saved = func.sum(case((calls.c.cache.in_(ANSWERED), calls.c.saved_nano), else_=0))
    selection, hits, asked, saved_nano = Selection((row,)), 0, 0, 0
    with reading(engine) as connection:
        query = calls.ask(select(*who, how_many(ANSWERED), func.count(), saved).where(*where))
        for *names, answered, could, nano in connection.execute(query.group_by(counted.c.kind, counted.c.thread)):
            if selects(selection, names):
                hits, asked, saved_nano = hits + answered, asked + could, saved_nano + nano
    return CacheShare(hits=hits, asked=asked, hit_ratio=ratio(hits, asked), saved=format_usd(saved_nano))


def selects(selection: Selection, names: list[Any]) -> bool:
    org, team, user, key, cost_center, session, tags, model = names
    named = msgspec.json.decode(tags)
    who = KeyRow(b"", key, user, team, org, cost_center, named, (), 0)
    return bool(selection.matches(who, named, session, model))
