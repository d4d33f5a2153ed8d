"""The shared tier on Redis, for several machines: entries with their time to live, and purges as a list that workers
follow. Redis itself bounds the memory (`maxmemory`); nothing here is lost that a provider could not answer again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from fastgate.caching import purge as purges
from fastgate.caching.entry import FIXED, Entry, EntryError, Head, pack, unpack, unpack_head
from fastgate.caching.purge import SENTENCES_KEPT, Purge

if TYPE_CHECKING:
    from fastgate.caching.resp import BlockingRedis, Redis

ENTRIES = b"fgc:e:"
PURGES = "fgc:purges"
PURGE_COUNT = "fgc:purges:n"
DAMAGED = "fgc:damaged"

SCAN_AT_ONCE = 500
"""Keys looked at for one answer of SCAN: Redis serves others in between."""

HEAD_READ = 4096
"""Bytes read of an entry to know its head; ids and scopes fit many times over."""


class Shared:
    """The tier as a worker uses it."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis

    async def get(self, find: bytes) -> Entry | None:
        """The entry. Raises EntryError for a damaged one."""
        blob = await self.redis.ask("GET", ENTRIES + find)
        return unpack(blob) if isinstance(blob, bytes) else None

    def put(self, find: bytes, entry: Entry, now_ns: int) -> asyncio.Future[Any] | None:
        """The future is Redis's answer; None when it is away, or the entry has expired."""
        ttl_ms = (entry.head.expires_ns - now_ns) // 1_000_000
        return self.redis.send("SET", ENTRIES + find, pack(entry), "PX", ttl_ms) if ttl_ms > 0 else None

    def drop(self, find: bytes) -> None:
        self.redis.send("DEL", ENTRIES + find)

    def drop_damaged(self, find: bytes) -> None:
        self.drop(find)
        self.redis.send("INCR", DAMAGED)

    async def purge_count(self) -> int | None:
        """How many purges there were ever; None while Redis is away."""
        told = await self.redis.ask("GET", PURGE_COUNT)
        return int(told) if isinstance(told, bytes) else None

    async def purges(self) -> list[Purge]:
        told = await self.redis.ask("LRANGE", PURGES, 0, -1)
        return [sentence for raw in told or () for sentence in purges.decode(raw)]


class SharedAdmin:
    """The tier as commands use it: they may wait."""

    def __init__(self, redis: BlockingRedis) -> None:
        self.redis = redis

    def heads(self) -> Iterator[tuple[bytes, Head, int]]:
        """Every entry's key in Redis, head and size."""
        cursor = b"0"
        while True:
            cursor, keys = self.redis.ask("SCAN", cursor, "MATCH", ENTRIES + b"*", "COUNT", SCAN_AT_ONCE)
            for key in keys:
                blob = self.redis.ask("GETRANGE", key, 0, FIXED + HEAD_READ - 1)
                try:
                    head = unpack_head(blob)
                except EntryError:
                    continue
                yield key, head, self.redis.ask("STRLEN", key)
            if cursor == b"0":
                return

    def facts(self) -> dict[str, int]:
        held = [size for _, _, size in self.heads()]
        damaged = int(self.redis.ask("GET", DAMAGED) or 0)
        return {"entries": len(held), "bytes": sum(held), "damaged": damaged, "evicted": 0}

    def purge(self, sentence: Purge) -> int:
        self.redis.ask("RPUSH", PURGES, purges.encode([sentence]))
        self.redis.ask("LTRIM", PURGES, -SENTENCES_KEPT, -1)
        self.redis.ask("INCR", PURGE_COUNT)
        return sum(self.redis.ask("DEL", key) for key, head, _ in self.heads() if sentence.matches(head))

    def close(self) -> None:
        self.redis.close()
