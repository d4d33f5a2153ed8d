"""The turns of a loop: calls whose bodies have come begin for a few milliseconds of one, and the rest in the next.

A loop that begins all that have come looks at nothing else meanwhile: in overload each answer waited once more behind
as many calls as its call had, and beats and streams with it. So calls wait here, in order, and how long is known: what
is in hand goes on first, and pressure.py takes no more than can begin in time. Knows nothing of what a call is.

Compiled (turns.pxd): asked once by every call, which waits only where the loop has had its fill.
"""

from __future__ import annotations

import time
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
"""Over how much of the loop's processor time it is measured what calls take of it while others wait."""

Go = Callable[[], object]
"""True: the call goes on in the loop's next turn, as tasks do, and no other begins in this one."""


class Turns:
    """Those of one loop. `soon` has a function called in the next turn."""

    def __init__(
        self,
        soon: Callable[[Go], object],
        clock: Callable[[], int] = mono_ns,
        spent: Callable[[], int] = time.thread_time_ns,
    ) -> None:
        self._soon = soon
        self._clock = clock
        self._spent = spent
        """The processor time that this thread has had. What others take of its core is not the calls': neighbours, and
        the server's own threads, which under long bodies are busy with calls that have not come to the line."""
        self._queue: deque[tuple[int, Go]] = deque()
        self._due = False
        """Whether the loop has a turn to come."""
        self._since_ns = 0
        """Since when calls begin one after the other, or since the last turn."""
        self._done_ns = 0
        """When a call last had begun."""
        self._spent_ns = 0
        """What it had spent when a turn began, or the first had to wait."""
        self._begun = 0
        """Calls that have begun since."""
        self._line_ns = 0
        """What it spent since the first of those that wait came."""
        self._cost_ns = 0.0
        """What a call takes of it, all told."""

    def full(self) -> bool:
        """Whether a call whose body has come must `wait`. If not it begins now, and `done` is called after that."""
        if self._queue:
            return True
        now_ns = self._clock()
        if now_ns - self._done_ns >= GAP_NS:
            self._since_ns = now_ns
        elif now_ns - self._since_ns >= TURN_NS:
            return True
        return False

    def done(self) -> None:
        """A call has begun."""
        self._done_ns = self._clock()

    def wait(self, go: Go) -> None:
        """Have a call that found it full begin when its turn comes."""
        now_ns = self._clock()
        if not self._queue:  # others come now, and cost what they cost
            self._line_ns, self._cost_ns = 0, 0.0
        self._queue.append((now_ns, go))
        if not self._due:
            self._due, self._begun, self._spent_ns = True, 0, self._spent()
            self._soon(self._turn)

    def _turn(self) -> None:
        queue, now_ns = self._queue, self._clock()
        self._measure()
        self._since_ns = now_ns
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

    def _measure(self) -> None:
        """A turn is over at whose end calls waited."""
        before_ns, self._spent_ns = self._spent_ns, self._spent()
        spent_ns = self._spent_ns - before_ns
        if self._begun:
            self._line_ns += spent_ns
            share = spent_ns / max(1, spent_ns, min(RATE_NS, self._line_ns))
            self._cost_ns += (spent_ns / self._begun - self._cost_ns) * share
            self._begun = 0

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
        """What so many will take of the loop, by what those before them took; 0 while that is not known."""
        return calls * self._cost_ns
