"""The key of a request: whose it is, what it asks and under which rules. Two hashes, one to find and one to prove.

XXH3-128 finds an entry and costs a microsecond, but whoever wants to can make two texts meet in it. So nothing is
served unless SHA-256 over the same bytes agrees.

Compiled with types (key.pxd).
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec
import xxhash

if TYPE_CHECKING:
    from fastgate.snapshot import KeyRow

FORM = 1
"""Version of what is hashed; part of it, so that another form never meets an old entry."""

LINES_KEPT = 1024
"""Heads whose `anthropic-*` lines are remembered: a client sends the same ones all day."""

Scope = tuple[str, ...]
"""Whom an entry belongs to, widest first: ("org", ORG), ("team", ORG, TEAM), ("user", ORG, USER), ("key", ORG, KEY) or
("session", ORG, KEY, SESSION). Never wider than the organisation."""

_encode = msgspec.msgpack.Encoder().encode

NOT_OF_THE_QUESTION = ("anthropic-dangerous-direct-browser-access",)
"""Headers of the provider's that say something of the caller, not of what is asked."""


class Key:
    """One request's key. `find` is 16 bytes, `proof` 32."""

    scope: Scope
    namespace: str
    find: bytes
    proof: bytes

    def __init__(self, scope: Scope, namespace: str, whose: bytes, canonical: bytes) -> None:
        self.scope = scope
        self.namespace = namespace
        self.find = found(whose, canonical)
        digest = sha256(whose)
        digest.update(canonical)
        self.proof = digest.digest()


def found(first: bytes, second: bytes) -> bytes:
    """What an entry is found by."""
    digest = xxhash.xxh3_128(first)
    digest.update(second)
    return digest.digest()


def whose(scope: Scope, namespace: str, route: str, model: str, lines: bytes, rules: str) -> bytes:
    """All of a key but the question itself. `model` is the one that is sent, `lines` the forwarded request headers,
    `rules` the version of the guards' policy under which the answer was let through."""
    return _encode((FORM, scope, namespace, route, model, asked_of(lines), rules))


def scope_of(width: str, who: KeyRow, session: str) -> Scope | None:
    """The scope of that width; one narrower where the key has no team or no user. None: no session, nothing to share
    within it."""
    if width == "org":
        return ("org", who.org)
    if width == "team" and who.team:
        return ("team", who.org, who.team)
    if width in ("team", "user") and who.user:
        return ("user", who.org, who.user)
    if width != "session":
        return ("key", who.org, who.key)
    return ("session", who.org, who.key, session) if session else None


@lru_cache(LINES_KEPT)
def asked_of(lines: bytes) -> tuple[tuple[str, ...], ...]:
    """What the `anthropic-*` headers ask for: betas as a set, every other one as it is."""
    betas: set[str] = set()
    others: set[tuple[str, ...]] = set()
    for line in lines.split(b"\r\n"):
        name, _, value = line.decode("utf-8", "surrogateescape").partition(": ")
        if name == "anthropic-beta":
            betas.update(part.strip() for part in value.split(",") if part.strip())
        elif name.startswith("anthropic-") and name not in NOT_OF_THE_QUESTION:
            others.add((name, value.strip()))
    return (tuple(sorted(betas)), *sorted(others))
