"""Tells when the event loop stood still, and in what: a thread that looks at the loop's last beat.

While one callback runs, every call of the worker waits. Nothing here mends that; the log then holds the stack that an
operator needs to have it mended. Knows the loop's thread and its beat, nothing of calls.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable

log = logging.getLogger("fastgate.watchdog")

BLOCKED_S = 0.25
"""A loop that has not beaten for this long is told of. Clients' departures must be noticed within 250 ms."""

LOOK_S = 0.05
"""How often the beat is looked at: as often as it beats."""

FRAMES = 12
"""The innermost frames of the stack say what it is; the outer ones are the loop's own."""


class Watchdog:
    """Watches the thread that makes it. `beat` is called by its loop at least every `LOOK_S`; `blocked` counts the
    times that it did not for `BLOCKED_S`. `clock` gives seconds that only grow."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.blocked = 0
        self._clock = clock
        self._watched = threading.get_ident()
        self._cpu = time.pthread_getcpuclockid(self._watched)
        self._beat_s = clock()
        self._beat_cpu_s = time.clock_gettime(self._cpu)
        self._told_s = -1.0
        """The beat whose being late was told."""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()

    def beat(self) -> None:
        now_s = self._clock()
        if self._told_s == self._beat_s:  # the log has the beginning of it
            log.warning("the event loop goes on after %.0f ms", (now_s - self._beat_s) * 1e3)
        self._beat_s = now_s
        self._beat_cpu_s = time.clock_gettime(self._cpu)

    def close(self) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        looked_s = self._clock()
        while not self._ended.wait(LOOK_S):
            now_s = self._clock()
            late_s, looked_s = now_s - looked_s - LOOK_S, now_s
            beat_s = self._beat_s
            if now_s - beat_s < BLOCKED_S or beat_s == self._told_s or late_s > LOOK_S:
                continue  # this thread was kept waiting too: the machine stood still, not the loop
            self._told_s = beat_s
            self._tell(now_s - beat_s)
            self.blocked += 1

    def _tell(self, still_s: float) -> None:
        frame = sys._current_frames().get(self._watched)
        stack = "".join(traceback.format_stack(frame, FRAMES)) if frame is not None else "its thread has ended"
        busy_s = time.clock_gettime(self._cpu) - self._beat_cpu_s
        log.warning(
            "the event loop has stood still for %.0f ms, %.0f ms of them computing:\n%s",
            still_s * 1e3,
            busy_s * 1e3,
            stack,
        )
