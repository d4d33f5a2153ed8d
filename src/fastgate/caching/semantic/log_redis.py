"""The log of notes as a Redis stream, for several machines. Redis bounds it; what is trimmed is asked for again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from fastgate.caching.resp import BlockingRedis
from fastgate.caching.semantic.note import Row, unpack

if TYPE_CHECKING:
    from fastgate.caching.resp import Redis

STREAM = "fgc:notes"

PURGES = "fgc:notes:purges"
"""How often a purge of the stream began or was through."""

READ_AT_ONCE = 256

START = b"0-0"


class RedisLog:
    """The stream as a worker uses it."""

    start = START

    def __init__(self, redis: Redis, rows_max: int) -> None:
        self.redis = redis
        self.rows_max = rows_max

    async def after(self, place: bytes) -> list[tuple[bytes, bytes]]:
        """Rows past that place, in order; empty while Redis is away."""
        told = await self.redis.ask("XRANGE", STREAM, b"(" + place, "+", "COUNT", READ_AT_ONCE)
        return [(at, fields[1]) for at, fields in told or ()]

    @contextmanager
    def reading(self) -> Iterator[RedisReader]:
        """For a thread that reads all of it, on a connection of its own. Raises OSError where Redis is away."""
        with closing(BlockingRedis(self.redis.url)) as connection:
            yield RedisReader(connection)

    def append(self, blobs: list[bytes]) -> None:
        for blob in blobs:
            self.redis.send("XADD", STREAM, "MAXLEN", "~", self.rows_max, "*", "r", blob)


class RedisReader:
    """The stream for whoever may wait."""

    start = START

    def __init__(self, redis: BlockingRedis) -> None:
        self.redis = redis

    def after(self, place: bytes, count: int) -> list[tuple[bytes, bytes]]:
        told = self.redis.ask("XRANGE", STREAM, b"(" + place, "+", "COUNT", count)
        return [(at, fields[1]) for at, fields in told or ()]

    def newest(self) -> bytes:
        told = self.redis.ask("XREVRANGE", STREAM, "+", "-", "COUNT", 1)
        return bytes(told[0][0]) if told else START

    def purges(self) -> int:
        return int(self.redis.ask("GET", PURGES) or 0)


class RedisLogAdmin:
    """The stream as commands use it: they may wait."""

    def __init__(self, redis: BlockingRedis) -> None:
        self.redis = redis

    def rows(self) -> list[tuple[bytes, Row]]:
        found: list[tuple[bytes, Row]] = []
        place = START
        while told := self.redis.ask("XRANGE", STREAM, b"(" + place, "+", "COUNT", READ_AT_ONCE):
            place = told[-1][0]
            rows = ((at, unpack(fields[1])) for at, fields in told)
            found += [(at, row) for at, row in rows if row is not None]
        return found

    def drop(self, matches: Callable[[Row], bool]) -> int:
        self.redis.ask("INCR", PURGES)
        dropped = sum(int(self.redis.ask("XDEL", STREAM, at)) for at, row in self.rows() if matches(row))
        self.redis.ask("INCR", PURGES)
        return dropped
