"""Signals as something to wait for: handlers do nothing, the loop reads which ones came from a pipe.

So nothing runs in the middle of anything else, and no signal is lost between a look and a wait.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from types import FrameType, TracebackType

STOP = frozenset((signal.SIGTERM, signal.SIGINT))
RELOAD = signal.SIGHUP
HEARD = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)

IGNORED = (signal.SIGTTOU,)
"""Children inherit it: a terminal that stops what prints in its background (`stty tostop`) must not stop them."""


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """A handler must exist for the wake-up pipe to be written, and for the child's to be the default again."""


class Signals:
    """Within the `with` block the heard signals do not end the process; `wait` tells which came."""

    def __enter__(self) -> Signals:
        self._read_fd, write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._write_fd = write_fd
        self._before_fd = signal.set_wakeup_fd(write_fd, warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, _nothing) for number in HEARD}
        self._before |= {number: signal.signal(number, signal.SIG_IGN) for number in IGNORED}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._before_fd)
        os.close(self._read_fd)
        os.close(self._write_fd)

    def wait(self, timeout_s: float, also_fd: int = -1) -> list[signal.Signals]:
        """The signals that came, in order; empty after `timeout_s` or when `also_fd` can be read."""
        poll = select.poll()  # select() takes no descriptor beyond 1023
        for fd in (self._read_fd, also_fd):
            if fd >= 0:
                poll.register(fd, select.POLLIN)
        poll.poll(max(timeout_s, 0.0) * 1e3)
        with contextlib.suppress(BlockingIOError):
            return [signal.Signals(number) for number in os.read(self._read_fd, 512)]
        return []
