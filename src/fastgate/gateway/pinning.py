"""On which core a worker runs: on any while it has little to do, on one of its own while it is busy.

Two threads of a worker share the interpreter lock. One that holds it and waits for its turn on a core keeps the other
from running on the next, and a kernel that has moved both workers to one core leaves the other idle for a while: with
as many busy workers as cores a tenth of them was idle so, and what a worker had in its caches was in the wrong one
(bench.load, 64 connections: a tenth more calls a second on cores of their own, an eighth less at p99 of cache hits). A
worker that waits for work gains nothing from a core of its own and might find another process on it. Knows the
scheduler, nothing of calls.
"""

from __future__ import annotations

import logging
import os
import time
from contextlib import suppress

from fastgate.clock import mono_ns
from fastgate.proc import usable_cpus

log = logging.getLogger("fastgate.pinning")

CORE_ENV = "FASTGATE_CORE"
"""The core of a worker, from the process that starts it; absent where none has one."""

BUSY, IDLE = 0.5, 0.25
"""Parts of a core. Above the first a worker is busy and takes its own, below the second no more, and gives it up: far
enough apart that a steady load does not sit between them. One that others crowd out of its core gets less and goes,
too."""


def cores(workers: int) -> tuple[int, ...]:
    """The core of each worker; empty unless they are as many as the cores that this process may use. With fewer workers
    the kernel has cores to choose from, and with a quota of processor time they belong to others as well."""
    usable = tuple(sorted(os.sched_getaffinity(0)))
    return usable if len(usable) == workers == usable_cpus() else ()


class Pinning:
    """Of all threads of this process, `look` being called every now and then."""

    def __init__(self, core: int | None) -> None:
        self.busy = False
        self.pinned = False
        self._core = core
        self._anywhere = os.sched_getaffinity(0)
        self._at_ns = mono_ns()
        self._used_ns = time.process_time_ns()

    @classmethod
    def from_environ(cls) -> Pinning:
        core = os.environ.get(CORE_ENV)
        return cls(int(core) if core else None)

    def look(self) -> None:
        """Tells whether the process is busy, by how much of a core it has used since the last look, and takes its own
        core or gives it up."""
        at_ns, used_ns = mono_ns(), time.process_time_ns()
        share = (used_ns - self._used_ns) / max(1, at_ns - self._at_ns)
        self._at_ns, self._used_ns = at_ns, used_ns
        self.busy = share > (IDLE if self.busy else BUSY)
        if self._core is not None and self.busy != self.pinned:
            self._move({self._core} if self.busy else self._anywhere)

    def _move(self, where: set[int]) -> None:
        """All threads, or none."""
        moved: list[int] = []
        try:
            for tid in map(int, os.listdir("/proc/self/task")):
                _put(tid, where)
                moved.append(tid)
        except OSError as error:
            self._core = None  # here it never will be allowed, and once told is enough
            log.warning("a busy worker keeps to no core of its own: %s", error.strerror)
            with suppress(OSError):
                for tid in moved:
                    _put(tid, self._anywhere)
            self.pinned = False
            return
        self.pinned = not self.pinned


def _put(tid: int, where: set[int]) -> None:
    """Nothing where the thread has ended."""
    with suppress(ProcessLookupError):
        os.sched_setaffinity(tid, where)
