"""An event loop whose every choice is drawn from a seed: which ready callback runs next, and when time moves.

Time is virtual. The same seed gives the same run; another seed another interleaving of the same tasks.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from asyncio import base_events
from typing import Any

NS = 1_000_000_000


class ScheduleLoop(base_events.BaseEventLoop):
    """No selector, no threads: what would wait for the world waits for virtual time."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.random = random.Random(seed)
        self.clock = 0.0

    def time(self) -> float:
        return self.clock

    def now_ns(self) -> int:
        return int(self.clock * NS) + 1

    def _process_events(self, event_list: Any) -> None:
        return

    def _write_to_self(self) -> None:
        return

    def _run_once(self) -> None:
        timers, ready = self._scheduled, self._ready  # type: ignore[attr-defined]
        while timers and timers[0]._cancelled:
            heapq.heappop(timers)._scheduled = False
        if not ready and timers:
            self.clock = max(self.clock, timers[0]._when)
        while timers and timers[0]._when <= self.clock:
            timer = heapq.heappop(timers)
            timer._scheduled = False
            ready.append(timer)
        if ready:
            ready.rotate(-self.random.randrange(len(ready)))
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()

    async def pause(self, most_s: float = 0.0) -> None:
        """Let others run: for a moment, or for up to `most_s`."""
        await asyncio.sleep(self.random.choice((0.0, 0.0, self.random.random() * most_s)))
