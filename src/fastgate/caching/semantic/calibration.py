"""The similarity from which an answer is given again, and what moves it: wrong answers that were seen.

The default comes from the bench: at it, and behind the guard, no near-miss of several thousand is answered, so by
Wilson's interval fewer than the stated bound are. That is evidence about texts in general; a partition's own evidence
are its verdicts (shadow mode): answers that would have been given, beside those that were bought. Where they show that
more than the bound would have been wrong, the partition's threshold rises to where they no longer show it, and if
there is no such place nothing is answered there.
"""

from __future__ import annotations

from collections import deque
from math import sqrt

SEEN_MAX = 512
"""Verdicts that a partition remembers; older ones say little about today's answers."""

Z = 1.96
"""Of Wilson's interval: 95 %."""

CLOSED = 2.0
"""A threshold that no similarity reaches."""


class Calibration:
    """One partition's verdicts."""

    __slots__ = ("_seen", "_threshold", "bound")

    def __init__(self, bound: float) -> None:
        self.bound = bound
        self._seen: deque[tuple[float, bool]] = deque(maxlen=SEEN_MAX)
        self._threshold: float | None = 0.0

    def note(self, similarity: float, agreed: bool) -> None:
        self._seen.append((similarity, agreed))
        self._threshold = None

    @property
    def threshold(self) -> float:
        """0 while the verdicts contradict nothing."""
        if self._threshold is None:
            self._threshold = lowest(list(self._seen), self.bound)
        return self._threshold


def lowest(seen: list[tuple[float, bool]], bound: float) -> float:
    """The least similarity from which on the verdicts do not show more wrong answers than the bound."""
    rising = sorted(seen)
    wrong, before = sum(not agreed for _, agreed in rising), None
    for n, (similarity, agreed) in enumerate(rising):
        if similarity != before and wilson(wrong, len(rising) - n)[0] <= bound:
            return similarity if n else 0.0
        wrong -= not agreed
        before = similarity
    return CLOSED if rising else 0.0


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share."""
    if of == 0:
        return 0.0, 1.0
    share, square = hits / of, Z * Z / of
    middle = (share + square / 2) / (1 + square)
    half = Z / (1 + square) * sqrt(share * (1 - share) / of + square / (4 * of))
    return max(0.0, middle - half), min(1.0, middle + half)
