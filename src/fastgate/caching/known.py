"""Questions that this worker was asked before: their keys, found by a mark of the body as it was sent.

The canonical form of a conversation of 700 KB and the two hashes over it take a millisecond; its mark a twentieth of
that. Marks are made with a key that never leaves the process (_core/mark.h says why no two bodies meet in one, whatever
their author computes), and are never shown. Which answer is given is still decided by the key that was made of the
canonical form, once. Compiled with types (known.pxd).
"""

from __future__ import annotations

import secrets

from fastgate._core.digest import CanonicalError, read_canonical
from fastgate._core.memo import Memo
from fastgate.caching.key import Key, Whose

KEPT = 8192
"""Keys in each of the memo's two generations, some 500 bytes each: at most 8 MiB."""

MARK_KEY_BYTES = 1072
"""Of the key of a Memo."""


class Question:
    """What a body asks. `key` is None for one that no answer is kept for: it has no canonical form, or wants verdicts
    on what it holds. `temperature` is as it was written, empty where it says none."""

    key: Key | None
    temperature: str

    def __init__(self, key: Key | None, temperature: str) -> None:
        self.key = key
        self.temperature = temperature


NONE = Question(None, "")


class Known:
    """One worker's."""

    def __init__(self) -> None:
        # The table of blocks in which nothing was found is not used: the least that there is.
        self._memo = Memo.of(secrets.token_bytes(MARK_KEY_BYTES), slots=16, found_limit=KEPT)

    def question(self, scope: tuple[str, ...], namespace: str, whose: Whose, body: bytes) -> Question:
        """What a body asks that `read_request` accepted, in that scope and namespace, which `whose` is made of."""
        memo = self._memo
        mark = memo.mark_of(body, whose.number)
        known = memo.get(mark)
        if known:
            found: Question = known[0]
            return found
        found = read(scope, namespace, whose, body)
        memo.note(mark, (found,))
        return found


def read(scope: tuple[str, ...], namespace: str, whose: Whose, body: bytes) -> Question:
    """The same from the body's canonical form."""
    try:
        canonical = read_canonical(body)
    except CanonicalError:
        return NONE
    if canonical.safeguards:
        return NONE
    return Question(Key(scope, namespace, whose.data, canonical.data), canonical.temperature)
