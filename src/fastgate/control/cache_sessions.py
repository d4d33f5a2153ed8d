"""Sessions as the provider's prompt cache saw them: how much was read from it, what broke it, and what that cost."""

from __future__ import annotations

import msgspec
from sqlalchemy import Engine, func, select

from fastgate._core.money import format_usd
from fastgate.control.shapes_cache import CacheSession
from fastgate.control.usage_schema import calls, counted
from fastgate.journal.view import moment, ratio
from fastgate.record import Judgement
from fastgate.stores.engine import reading

_decode = msgspec.json.Decoder(Judgement).decode

_READ = func.sum(calls.c.cache_read_tokens)
_WHOLE = _READ + func.sum(calls.c.input_tokens + calls.c.cache_write_5m_tokens + calls.c.cache_write_1h_tokens)
_LOST = func.sum(calls.c.broke_nano)
_PLACED = func.json_extract(calls.c.prompt_cache, "$.placed_nano")
"""Null where the gateway placed no marks."""


def sessions(engine: Engine, since_ns: int, limit: int) -> list[CacheSession]:
    """Those with calls since then that had input, dearest breaks first, then the busiest."""
    names = (calls.c.session, calls.c.agent, calls.c.key)
    last_break = func.max(counted.c.seq).filter(calls.c.broke_nano > 0).label("last_break")
    asked = (
        select(
            *names,
            func.max(calls.c.user).label("user"),
            func.count().label("calls"),
            func.max(calls.c.at_ns).label("last_ns"),
            _READ.label("read"),
            _WHOLE.label("whole"),
            func.count().filter(calls.c.broke_nano > 0).label("breaks"),
            _LOST.label("lost"),
            func.count(_PLACED).label("placed"),
            func.coalesce(func.sum(_PLACED), 0).label("placed_saves"),
            last_break,
        )
        .where(calls.c.session != "", calls.c.at_ns >= since_ns)
        .group_by(*names)
        .having(_WHOLE > 0)
        .order_by(_LOST.desc(), _WHOLE.desc(), *names)
        .limit(limit)
    )
    with reading(engine) as connection:
        rows = connection.execute(calls.ask(asked)).all()
        broken = [row.last_break for row in rows if row.last_break is not None]
        told = select(counted.c.seq, counted.c.prompt_cache).where(counted.c.seq.in_(broken))
        why = {row.seq: _decode(row.prompt_cache).broke for row in connection.execute(told)}
    found = []
    for row in rows:
        broke = why.get(row.last_break)
        found.append(
            CacheSession(
                session=row.session,
                agent=row.agent,
                key=row.key,
                user=row.user,
                calls=row.calls,
                last_at=moment(row.last_ns),
                read_ratio=ratio(row.read, row.whole),
                breaks=row.breaks,
                lost=format_usd(row.lost),
                placed=row.placed,
                placed_saves=format_usd(row.placed_saves),
                last_cause=broke.cause if broke is not None else "",
                last_block=broke.block if broke is not None else "",
            )
        )
    return found
