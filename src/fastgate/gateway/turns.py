"""The turns of a loop: calls whose bodies have come begin for a few milliseconds of one, and the rest in the next.

A loop that begins all that have come looks at nothing else meanwhile: in overload each answer waited once more behind
as many calls as its call had, and beats and streams with it. So calls wait here, in order, and how long is known: what
is in hand goes on first, and pressure.py takes no more than can begin in time. Knows nothing of what a call is.

Compiled (turns.pxd): asked once by every call, which waits only where the loop has had its fill.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from fastgate._core.clock import mono_ns

TURN_NS, GAP_NS = 4_000_000, 500_000
"""How long calls begin one after the other, with less than a gap between two. A small call takes a twentieth of a
millisecond, one with a new text of 128 KB under guards two: no less than one begins."""

LONGEST_NS, SHARE = 25_000_000, 5
"""Calls that have waited begin for a part of that time. After each turn the loop lets go of the interpreter lock
several times; in overload another thread is always there to take it, so that of short turns little would be left."""

RATE_NS = 200_000_000
"""Over how long it is measured how fast calls begin while others wait."""

FORGET_NS = 1_000_000_000
"""After so long without calls that wait it is measured anew: others come, and cost what they cost."""

Go = Callable[[], object]
"""True: the call goes on in the loop's next turn, as tasks do, and no other begins in this one."""


class Turns:
    """Those of one loop. `soon` has a function called in its next turn."""

    def __init__(self, soon: Callable[[Go], object], clock: Callable[[], int] = mono_ns) -> None:
        self._soon = soon
        self._clock = clock
        self._queue: deque[tuple[int, Go]] = deque()
        self._due = False
        """Whether the loop has a turn to come."""
        self._since_ns = 0
        """Since when calls begin one after the other, or since the last turn."""
        self._begun = 0
        """Calls that have begun since."""
        self._done_ns = 0
        """When a call last had begun."""
        self._line_ns = 0
        """When the first came that had to wait, of a line of such with no gap of FORGET_NS."""
        self._left_ns = 0
        """When the last of it had begun."""
        self._cost_ns = 0.0
        """From one beginning to the next, in such a line."""

    def full(self) -> bool:
        """Whether a call whose body has come must `wait`. If not it begins now, and `done` is called after that."""
        if self._queue:
            return True
        now_ns = self._clock()
        if now_ns - self._done_ns >= GAP_NS:
            self._since_ns, self._begun = now_ns, 0
        elif now_ns - self._since_ns >= TURN_NS:
            return True
        self._begun += 1
        return False

    def done(self) -> None:
        """A call has begun."""
        self._done_ns = self._clock()

    def wait(self, go: Go) -> None:
        """Have a call that found it full begin when its turn comes."""
        now_ns = self._clock()
        if not self._queue and now_ns - self._left_ns >= FORGET_NS:
            self._line_ns, self._cost_ns = now_ns, 0.0
        self._queue.append((now_ns, go))
        if not self._due:
            self._due = True
            self._soon(self._turn)

    def _turn(self) -> None:
        queue, now_ns = self._queue, self._clock()
        self._measure(now_ns)
        self._since_ns, self._begun = now_ns, 0
        length_ns = min(LONGEST_NS, max(TURN_NS, (now_ns - queue[0][0]) // SHARE))
        try:
            while queue and self._clock() - now_ns < length_ns:
                self._begun += 1
                if queue.popleft()[1]():
                    break
        finally:
            self._done_ns = self._clock()
            self._due = bool(queue)
            if queue:
                self._soon(self._turn)
            else:
                self._left_ns = self._done_ns

    def _measure(self, now_ns: int) -> None:
        """A turn is over at whose end calls waited."""
        spent_ns = now_ns - self._since_ns
        share = min(1.0, spent_ns / min(RATE_NS, max(1, spent_ns, now_ns - self._line_ns)))
        self._cost_ns += (spent_ns / max(1, self._begun) - self._cost_ns) * share

    def waiting(self) -> int:
        """How many wait."""
        return len(self._queue)

    def waited_ns(self) -> int:
        """How long the next has waited."""
        if not self._queue:
            return 0
        try:
            return self._clock() - self._queue[0][0]
        except IndexError:  # it went between the two: another thread may ask
            return 0

    def takes_ns(self, calls: int) -> float:
        """How long it takes until so many have begun, by what those before them took; 0 while that is not known."""
        return calls * self._cost_ns
