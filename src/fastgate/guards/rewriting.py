"""Where a text that a guard wrote anew differs from the one it was given. Knows no guard and no block."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

WORDS_MAX = 4_000
"""Words of the part that differs that are compared one by one; of a longer one all is taken to have changed. Comparing
takes time with their square: 4,000 that have nothing in common take some 100 ms."""

_WORD = re.compile(r"\s+|\w+|[^\w\s]")


def changes(before: str, after: str) -> list[tuple[int, int]]:
    """Places of `before`, in characters, that `after` has not or has otherwise; whole words. What `after` only adds
    is no place."""
    if before == after:
        return []
    old, new = _WORD.findall(before), _WORD.findall(after)
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    at = sum(map(len, old[:head]))
    old, new = old[head : len(old) - tail], new[head : len(new) - tail]
    if not old:
        return []
    if max(len(old), len(new)) > WORDS_MAX:
        return [(at, at + sum(map(len, old)))]
    places: list[tuple[int, int]] = []
    for what, first, last, _, _ in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        size = sum(map(len, old[first:last]))
        if what != "equal" and size:
            places.append((at, at + size))
        at += size
    return places


def _common(one: list[str], other: list[str]) -> int:
    """How many words both begin with."""
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count
