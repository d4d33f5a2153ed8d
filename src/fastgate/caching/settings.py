"""The `cache:` section of fastgate.yaml. Shapes and defaults only."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from fastgate.caching.semantic.settings import SemanticCache
from fastgate.refs import Secret
from fastgate.strict import Check, Range

DAY_S = 24 * 3600

MIB = 1024 * 1024

REDIS_SCHEMES = ("redis://", "rediss://", "unix://")


def _store(value: Secret) -> str | None:
    told = value.reveal()
    if told == "embedded" or told.startswith(REDIS_SCHEMES):
        return None
    return "must be `embedded`, or the address of a Redis: redis://HOST:PORT/DB, rediss://..., unix:///PATH"


class ExactCache(msgspec.Struct, frozen=True, kw_only=True):
    """Answers to requests that were asked before, word for word."""

    enabled: bool = True
    """Whether answers are kept and given again. Only complete answers to requests without server tools, safeguards or
    redacted text are."""
    ttl_s: Annotated[int, Range(1, 30 * DAY_S)] = 3600
    """How long an answer is given again."""
    namespace: Literal["org", "team", "user", "key", "session"] = "team"
    """Who shares answers. Never more than one organisation; a key without a team or user shares with fewer."""
    in_flight: bool = True
    """Whether a request that is being answered to somebody in the same namespace waits for that answer."""
    count_tokens: bool = True
    """Whether token counts are kept too: Claude Code's /context asks for some 26 at once."""
    entry_bytes: Annotated[int, Range(1024, 64 * MIB)] = 4 * MIB
    """Largest answer that is kept. 128,000 tokens of output, streamed a few letters an event, come near to it."""
    replay: Literal["at_once", "paced"] = "at_once"
    """How a streamed answer is given again: at once, or piece by piece at the pace at which it was received. Answers
    that were kept while this said `at_once` have no pace, and come at once."""
    temperature: Annotated[float, Range(0, 2)] = 0.0
    """Highest `temperature` of a request that is answered from the cache: who asks for more wants a new answer each
    time. Requests that state none, as Claude Code's, are always answered."""


class PromptCache(msgspec.Struct, frozen=True, kw_only=True):
    """Marks (`cache_control`) for the provider's own prompt cache that a client left out. They change what is sent, so
    both are off unless asked for; and they are placed only in calls to Anthropic's API, of sessions whose rhythm is
    known, where this turn and the next together become cheaper. `fastgate calls show` says what was placed and what it
    should save."""

    breakpoints: bool = False
    """Whether a conversation without any mark gets two: behind its system prompt, and behind its newest block."""
    hour: bool = False
    """Whether marks of five minutes become marks of an hour, where the session's turns come more slowly than that."""


class CacheSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Answers that are given again instead of being bought again. Absent: nothing is kept."""

    exact: ExactCache = ExactCache()
    """Answers to requests that were asked before, word for word."""
    semantic: SemanticCache = SemanticCache()
    """Answers to requests that were asked before in other words."""
    prompt: PromptCache = PromptCache()
    """Marks for the provider's own prompt cache."""
    store: Annotated[Secret, Check(_store)] = Secret("embedded")
    """Where the workers share answers: `embedded`, a file in the state directory, or the address of a Redis, best as
    `${VAR}`."""
    memory_bytes: Annotated[int, Range(MIB, 1024 * 1024 * MIB)] = 64 * MIB
    """Answers that each worker keeps in its own memory: some 5,000 of ten kilobytes."""
    disk_bytes: Annotated[int, Range(16 * MIB, 1024 * 1024 * MIB)] = 1024 * MIB
    """Size of the embedded store; the oldest answers make room."""
    overrides: bool = True
    """Whether clients may use the cache's request headers: no-store, force-refresh, ttl, namespace."""
    overrides_denied: tuple[str, ...] = ()
    """Globs of key ids whose cache headers are ignored all the same: `ci-*`, so that no pipeline buys what it could
    repeat."""
