"""A file that a worker opens anew while it serves: in a thread, and again after a growing pause where it cannot be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from fastgate.clock import mono_ns
from fastgate.log import Log

PAUSE_MIN_S = 1.0
PAUSE_MAX_S = 60.0
"""Between attempts: what keeps a file from being opened, a full disk or a wrong mode, is mended by somebody."""

T = TypeVar("T")

log = Log("cache")


class Reopening:
    """The attempts at one file, told by `name`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, name: str) -> None:
        self.busy = False
        self._loop = loop
        self._name = name
        self._pause_s = 0.0
        self._again_ns = 0

    @property
    def due(self) -> bool:
        return not self.busy and mono_ns() >= self._again_ns

    def start(self, work: Callable[[], T], opened: Callable[[T], None]) -> None:
        """Do the work, which gives up the old file and opens the new one, beside the loop; `opened` gets it, on the
        loop."""
        self.busy = True
        future = self._loop.run_in_executor(None, work)
        future.add_done_callback(lambda done: self._done(done, opened))

    def _done(self, done: asyncio.Future[T], opened: Callable[[T], None]) -> None:
        self.busy = False
        if done.cancelled():
            return
        error = done.exception()
        if error is None:
            if self._pause_s:
                log.info("opened again", file=self._name)
            self._pause_s = 0.0
            opened(done.result())
            return
        if not self._pause_s:
            log.error("cannot be opened anew; tried again now and then", file=self._name, why=error)
        self._pause_s = min(max(PAUSE_MIN_S, 2 * self._pause_s), PAUSE_MAX_S)
        self._again_ns = mono_ns() + int(self._pause_s * 1e9)
