"""A call as a question to the cache: its key, and what is to be done with the answer when it comes. Compiled with
types (asked.pxd)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastgate.caching.entry import Entry
    from fastgate.caching.flights import Flight
    from fastgate.caching.key import Key
    from fastgate.caching.semantic.spoken import Spoken


class Asked:
    """`model`, `max_tokens`: of which model, how long an answer it asks for. `ttl_ns`: how long the answer is given
    again; `oldest_ns`: when one may have begun at the earliest. `keep`: the answer may be stored; `refresh`: none that
    is stored is wanted. `flight`: what others follow, where it leads. `ahead`: what it follows. `entry`: its answer,
    once it is complete. `spoken`: the question to the semantic cache, where it is one."""

    key: Key
    model: str
    max_tokens: int
    ttl_ns: int
    oldest_ns: int
    keep: bool
    refresh: bool
    flight: Flight | None
    ahead: Flight | None
    entry: Entry | None
    spoken: Spoken | None

    def __init__(
        self, key: Key, model: str, max_tokens: int, ttl_ns: int, oldest_ns: int, keep: bool, refresh: bool
    ) -> None:
        self.key = key
        self.model = model
        self.max_tokens = max_tokens
        self.ttl_ns = ttl_ns
        self.oldest_ns = oldest_ns
        self.keep = keep
        self.refresh = refresh
        self.flight = self.ahead = self.entry = self.spoken = None
