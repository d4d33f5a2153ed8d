"""Which of a worker's threads goes first where they share a core: none, but in overload all others before the loop's.

A worker's threads are batch tasks (serve.py): one that wakes waits until the slice of the one that runs is over. A call
that is refused needs three turns of them: the I/O thread reads it, the server's Python thread refuses it, the I/O
thread answers. In overload the loop runs whenever it may, so each turn waits for a slice of it, two milliseconds and
more. Then all threads but the loop's are ordinary tasks with short slices, which the kernel lets in as they wake (from
Linux 6.12 on; before that slices cannot be chosen, and it does so less often). They have little to do at a time, so
the loop gets through as many calls. Knows the scheduler, nothing of calls.
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

_ATTR = struct.Struct("=IIQiIQQQ")
"""struct sched_attr of sched_setattr(2): size, policy, flags, nice, priority, runtime, deadline, period."""


class Precedence:
    """Of the threads of this process over the one that makes it."""

    def __init__(self) -> None:
        self.others_first = False
        self._own = threading.get_native_id()
        self._before: dict[int, int] = {}
        """The policies of threads that go first, as they were."""
        self._refused = False

    def put(self, others_first: bool) -> None:
        """Let the other threads go first, or each when its turn comes. Does nothing where it is so already."""
        if others_first == self.others_first or self._refused:
            return
        self.others_first = others_first
        if others_first:
            self._before = {tid: policy for tid in _threads() if (policy := _policy(tid)) is not None}
            self._before.pop(self._own, None)
        for tid, policy in self._before.items():
            try:
                _schedule(tid, os.SCHED_OTHER if others_first else policy, SLICE_NS if others_first else 0)
            except ProcessLookupError:
                continue
            except OSError as error:
                self._refused = True  # here they never will be moved, and once told is enough
                log.warning("a worker's threads keep their places in overload: %s", error.strerror)
                return


def _policy(tid: int) -> int | None:
    """None: the thread has ended."""
    try:
        return os.sched_getscheduler(tid)
    except ProcessLookupError:
        return None


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
    if ctypes.CDLL(None, use_errno=True).syscall(number, tid, wanted, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
