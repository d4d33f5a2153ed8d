"""What the cache did and holds, as the admin API and the command line are given it. Conventions as in shapes.py."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from fastgate.control.shapes import Moment, Usd

Ratio = Annotated[str, Meta(description="decimal, 0 to 1: answers from the cache of all that it could have answered")]


class CacheRow(msgspec.Struct, frozen=True, kw_only=True):
    """One org, team and named partition: its calls by what the cache did, what that saved, and what is kept now.
    `questions` are remembered for rewordings; of answers that were `compared` in shadow mode so many `agreed`."""

    org: str
    team: str
    namespace: str
    calls: int
    hit: int
    hit_inflight: int
    hit_semantic: int
    miss: int
    refresh: int
    bypass: int
    hit_ratio: Ratio
    saved: Usd
    entries: int
    bytes: int
    questions: int
    compared: int
    agreed: int


class CacheStore(msgspec.Struct, frozen=True, kw_only=True):
    """Where answers are kept for all workers. `damaged` were dropped unread, `evicted` made room; `set_aside`: how many
    files that could not be read were begun anew."""

    kind: str
    entries: int
    bytes: int
    damaged: int
    evicted: int
    set_aside: int = 0


class CacheStats(msgspec.Struct, frozen=True, kw_only=True):
    """`store` is null where nothing is cached."""

    items: list[CacheRow]
    next: None = None
    store: CacheStore | None = None


class CacheSession(msgspec.Struct, frozen=True, kw_only=True):
    """One session (and sub-agent) and the provider's prompt cache: the share of its input that was read from it, how
    often it was broken, what that cost, and what broke it last. The gateway `placed` marks into so many of its calls,
    and `placed_saves` is what they were expected to save."""

    session: str
    agent: str
    key: str
    user: str
    calls: int
    last_at: Moment
    read_ratio: str
    breaks: int
    lost: Usd
    placed: int
    placed_saves: Usd
    last_cause: str
    last_block: str


class CacheSessions(msgspec.Struct, frozen=True, kw_only=True):
    """Dearest breaks first."""

    items: list[CacheSession]
    next: None = None


class NewPurge(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Forget answers of calls that match every field that is given and began before `before` (RFC 3339; now when
    absent). Without any other field, `all` must be true."""

    org: str = ""
    team: str = ""
    user: str = ""
    key: str = ""
    namespace: str = ""
    model: str = ""
    before: str | None = None
    all: bool = False


class Purged(msgspec.Struct, frozen=True, kw_only=True):
    """`entries`: how many answers left the shared store; `questions`: what left the semantic cache's log. Workers
    forget theirs within a second."""

    entries: int
    questions: int
    before: str


class CacheShare(msgspec.Struct, frozen=True, kw_only=True):
    """Of calls that the cache was asked about (`asked`), those that it answered, and what that saved."""

    hits: int
    asked: int
    hit_ratio: Ratio
    saved: Usd
