"""Whether a model was shown a file: texts that were new in a call, by digest and path, beside the calls of usage.py."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, and_, or_, select, tuple_

from fastgate.control.usage_queries import MAX_PAGE, parse_cursor
from fastgate.control.usage_schema import calls, counted, sightings
from fastgate.guards.sightings import MARK_BYTES
from fastgate.record import Sighting

ESCAPE = "\\"


class Seen(NamedTuple):
    """A call in which the text was new."""

    at_ns: int
    id: str
    org: str
    team: str
    user: str
    key: str
    session: str
    outcome: str
    endpoint: str
    kind: int
    path: str


_decode = msgspec.msgpack.Decoder(tuple[Sighting, ...]).decode


def sighting_rows(worker: int, number: int, shown: bytes) -> list[tuple[Any, ...]]:
    """The rows of `sightings` for one call, by the numbers that name it; a mark that is not whole is left out. `shown`
    is MessagePack: a call's record.Sighting. ValueError or MsgspecError: it is not."""
    marks = [
        (one.marks[at : at + MARK_BYTES], one.kind, one.path)
        for one in _decode(shown)
        for at in range(0, len(one.marks) - MARK_BYTES + 1, MARK_BYTES)
    ]
    return [(worker, number, n, *mark) for n, mark in enumerate(marks)]


def find(
    connection: Connection, mark: bytes | None, path: str, limit: int, cursor: str | None
) -> tuple[list[Seen], str | None]:
    """Calls, newest first, and the cursor of the next page. `path` is a whole one, or its end from a `/` on."""
    if not 1 <= limit <= MAX_PAGE:
        raise ValueError(f"limit must lie in 1..{MAX_PAGE}, got {limit}")
    columns = (
        calls.c[name] for name in ("at_ns", "id", "org", "team", "user", "key", "session", "outcome", "endpoint")
    )
    asked = select(*columns, sightings.c.kind, sightings.c.path).distinct()
    same = and_(counted.c.worker == sightings.c.worker, counted.c.number == sightings.c.number)
    if mark is not None:
        asked = asked.where(sightings.c.mark == mark)
    if path:
        escaped = path.replace(ESCAPE, ESCAPE * 2).replace("%", f"{ESCAPE}%").replace("_", f"{ESCAPE}_")
        end = sightings.c.path.like(f"%/{escaped.lstrip('/')}", escape=ESCAPE)
        asked = asked.where(sightings.c.path != "", or_(sightings.c.path == path, end))
    if cursor is not None:
        asked = asked.where(tuple_(calls.c.at_ns, calls.c.id) < tuple_(*parse_cursor(cursor)))
    asked = calls.ask(asked.where(same))
    order = (calls.c.at_ns.desc(), calls.c.id.desc(), sightings.c.path)
    rows = [Seen(*row) for row in connection.execute(asked.order_by(*order).limit(limit + 1))]
    if len(rows) <= limit:
        return rows, None
    # A page ends between two calls, for the cursor names one; a call with more texts than a page has a page of its own.
    page = [row for row in rows[:limit] if row.id != rows[limit].id] or rows[:limit]
    return page, f"{page[-1].at_ns}.{page[-1].id}"
