"""Questions that this worker was asked before: their keys, found by who asks and a mark of the body as it was sent.

The canonical form of a conversation of 700 KB and the two hashes over it take a millisecond; its mark a twentieth of
that. Marks are made with a key that never leaves the process (_core/mark.h says why no two bodies meet in one, whatever
their author computes), and are never shown. Which answer is given is still decided by the key that was made of the
canonical form, once. Compiled with types (known.pxd).
"""

from __future__ import annotations

import secrets
from itertools import count
from typing import TYPE_CHECKING

from fastgate._core.digest import CanonicalError, read_canonical
from fastgate._core.memo import Memo
from fastgate.caching.key import Key, Scope, scope_of, whose
from fastgate.caching.rules import may_be_asked

if TYPE_CHECKING:
    from fastgate._core.request import RequestView
    from fastgate.snapshot import KeyRow
    from fastgate.snapshot_cache import CachePolicy

KEPT = 8192
"""Keys in each of the memo's two generations, some 500 bytes each: at most 8 MiB."""

ASKERS_KEPT = 1024
"""Clients send the same headers all day; one that does not must not fill memory."""

MARK_KEY_BYTES = 1072
"""Of the key of a Memo."""

_numbers = count(1).__next__


class Asker:
    """Who asks, under which policy, and how: all of a key but the question itself, which `whose` are the bytes of.
    `scope` is None where nothing is shared. `number` stands for it in this process; one that was forgotten gets
    another."""

    number: int
    policy: CachePolicy
    scope: Scope | None
    namespace: str
    whose: bytes

    def __init__(self, number: int, policy: CachePolicy, scope: Scope | None, namespace: str, whose: bytes) -> None:
        self.number = number
        self.policy = policy
        self.scope = scope
        self.namespace = namespace
        self.whose = whose


class Question:
    """What a body asks. `key` is None for one that no answer is kept for: it has no canonical form, wants verdicts on
    what it holds, or may not be asked (fastgate.caching.rules)."""

    key: Key | None

    def __init__(self, key: Key | None) -> None:
        self.key = key


NONE = Question(None)


class Known:
    """One worker's."""

    def __init__(self) -> None:
        # The table of blocks in which nothing was found is not used: the least that there is.
        self._memo = Memo.of(secrets.token_bytes(MARK_KEY_BYTES), slots=16, found_limit=KEPT)
        self._askers: dict[tuple[str | bytes, ...], Asker] = {}
        self._policy: CachePolicy | None = None

    def asker(
        self, policy: CachePolicy, who: KeyRow, route: str, model: str, lines: bytes, session: str, namespace: str
    ) -> Asker:
        """Who asks. `model` is the one that is sent, `lines` the forwarded request headers. A key's row is known by its
        digest, for as long as the policy is the same object: that of one snapshot."""
        if policy is not self._policy or len(self._askers) >= ASKERS_KEPT:
            self._askers.clear()
            self._policy = policy
        name = (who.digest, route, model, lines, session if policy.width == "session" else "", namespace)
        found = self._askers.get(name)
        if found is None:
            scope = scope_of(policy.width, who, session)
            of = whose(scope, namespace, route, model, lines, policy.rules) if scope is not None else b""
            found = self._askers[name] = Asker(_numbers(), policy, scope, namespace, of)
        return found

    def question(self, asker: Asker, body: bytes, request: RequestView) -> Question:
        """What a body asks that was read as `request`."""
        memo = self._memo
        mark = memo.mark_of(body, asker.number)
        known = memo.get(mark)
        if known:
            first: Question = known[0]
            return first
        found = read(asker, body, request)
        memo.note(mark, (found,))
        return found


def read(asker: Asker, body: bytes, request: RequestView) -> Question:
    """The same from the body's canonical form."""
    if asker.scope is None:
        return NONE
    try:
        canonical = read_canonical(body)
    except CanonicalError:
        return NONE
    if canonical.safeguards or not may_be_asked(request, canonical.temperature, asker.policy):
        return NONE
    return Question(Key(asker.scope, asker.namespace, asker.whose, canonical.data))
