"""How late the event loop is: a beat every ten milliseconds, counted by its lateness.

A beat waits in one queue with the calls, so its lateness is what a call waits that comes then. Knows the loop and the
worker's histogram in shared memory (fastgate.lag), nothing of calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fastgate.clock import mono_ns
from fastgate.lag import LagCounts

PULSE_S = 0.01
"""How often: a hundred timers a second are a thousandth of a core, and a call that waits less needs no help."""

PULSE_NS = int(PULSE_S * 1e9)


class Pulse:
    """The beats of one loop. `told` is called at each with the seconds since the last and how late it is."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, counts: LagCounts, told: Callable[[float, float], None]
    ) -> None:
        self._loop = loop
        self._counts = counts
        self._told = told
        self._last_ns = mono_ns()
        self._next = loop.call_later(PULSE_S, self._beat)

    def close(self) -> None:
        self._next.cancel()

    def _beat(self) -> None:
        self._next = self._loop.call_later(PULSE_S, self._beat)
        now_ns = mono_ns()
        away_ns, self._last_ns = now_ns - self._last_ns, now_ns
        late_ns = max(0, away_ns - PULSE_NS)
        self._counts.add(late_ns)
        self._told(away_ns / 1e9, late_ns / 1e9)
