"""A call as a question to the cache: its key, and what is to be done with the answer when it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastgate.caching.entry import Entry
    from fastgate.caching.flights import Flight
    from fastgate.caching.key import Key
    from fastgate.caching.semantic.spoken import Spoken


class Asked:
    """`keep`: the answer may be stored. `max_tokens`: how long an answer it asks for. `flight`: what others follow,
    where it leads. `ahead`: what it follows. `entry`: its answer, once it is complete. `spoken`: the question to the
    semantic cache, where it is one."""

    __slots__ = ("ahead", "entry", "flight", "keep", "key", "max_tokens", "model", "spoken", "ttl_ns")

    def __init__(self, key: Key, model: str, max_tokens: int, ttl_ns: int, keep: bool) -> None:
        self.key = key
        self.model = model
        self.max_tokens = max_tokens
        self.ttl_ns = ttl_ns
        self.keep = keep
        self.flight: Flight | None = None
        self.ahead: Flight | None = None
        self.entry: Entry | None = None
        self.spoken: Spoken | None = None
