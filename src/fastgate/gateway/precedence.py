"""Which of a worker's threads goes first, by how much there is to do.

A worker is a thread for Python and one for I/O that share the interpreter lock, and some more that have little to do.

EASY: all are ordinary tasks. One that wakes is let in soon, before others on its core that have run for longer: a first
token that finds a neighbour on the core was 11 ms late at the 99th percentile as a batch task, and is 2 (bench.streams,
10 events a second, on a machine that others kept busy).

BUSY: all are batch tasks. As ordinary ones they would preempt each other several times a call; now each runs until it
waits (a fifth less processor time a call).

PRESSED: all but the loop's are ordinary tasks with short slices. A call that is refused needs three turns of them: the
I/O thread reads it, the server's Python thread refuses it, the I/O thread answers. In overload the loop runs whenever
it may, so each turn would wait for a slice of it, two milliseconds and more. Slices can be chosen from Linux 6.12 on;
before that the kernel lets them in less often. They have little to do at a time, so the loop gets through as many
calls. Knows the scheduler, nothing of calls.
"""

from __future__ import annotations

import ctypes
import logging
import os
import platform
import struct
import threading

log = logging.getLogger("fastgate.precedence")

SLICE_NS = 500_000
"""A refusal keeps a thread for less, and it is less than the kernel's own slices of 1.4 ms and more. With the shortest,
0.1 ms, refusals were no quicker, and a tenth of the calls that are served went into switching (bench.overload)."""

SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
"""Its number; the C library has no function for it."""

_LIBC = ctypes.CDLL(None, use_errno=True)

_ATTR = struct.Struct("=IIQiIQQQ")
"""struct sched_attr of sched_setattr(2): size, policy, flags, nice, priority, runtime, deadline, period."""


EASY, BUSY, PRESSED = range(3)


class Precedence:
    """Of the threads of this process, the one that makes it being the loop's."""

    def __init__(self) -> None:
        self.order = EASY
        self._own = threading.get_native_id()
        self._refused = False

    def put(self, order: int) -> None:
        """Have the threads go in that order. Does nothing where they do so already."""
        if order == self.order or self._refused:
            return
        self.order = order
        own = os.SCHED_OTHER if order == EASY else os.SCHED_BATCH
        other = os.SCHED_BATCH if order == BUSY else os.SCHED_OTHER
        for tid in _threads():
            try:
                if tid == self._own:
                    _schedule(tid, own, 0)
                else:
                    _schedule(tid, other, SLICE_NS if order == PRESSED else 0)
            except ProcessLookupError:  # it has ended since
                continue
            except OSError as error:
                self._refused = True  # here they never will be moved, and once told is enough
                log.warning("a worker's threads keep their order: %s", error.strerror)
                return


def _threads() -> list[int]:
    return [int(name) for name in os.listdir("/proc/self/task")]


def _schedule(tid: int, policy: int, slice_ns: int) -> None:
    """A policy and a slice, 0 for the kernel's own. OSError."""
    number = SCHED_SETATTR.get(platform.machine())
    if number is None:
        os.sched_setscheduler(tid, policy, os.sched_param(0))
        return
    nice = os.getpriority(os.PRIO_PROCESS, tid)
    wanted = ctypes.create_string_buffer(_ATTR.pack(_ATTR.size, policy, 0, nice, 0, slice_ns, 0, 0), _ATTR.size)
    if _LIBC.syscall(number, tid, wanted, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
