"""How a stream ends that broke off: its client first gets what the server took for it, and then sees the break.

The server can end a stream only as if it were whole, so its connection is shut down beneath it. But it takes bytes at
once and writes them in its own time, and says nothing of that: what it had not written by then would be lost, with the
last events of an answer that is charged. So the kernel is asked: once nothing more was written for a while and the
socket would take more, the server has nothing left. What the kernel has it delivers itself, before the end.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastgate._core.credit import Credit

LOOK_S = 0.01
QUIET_LOOKS = 5
"""The server's I/O thread, which has the bytes already, gets 50 ms to write them: it needs tens of microseconds, and on
a busy machine a few turns of the scheduler."""

STUCK_S, PARTING_S = 0.5, 1.5
"""A client that takes nothing for so long, or that has not taken all within the second, gets no more: a gateway that
stops has two seconds for its last calls (supervisor/drain.py)."""


class Parting:
    """The end of one client's broken stream. The server's end of it is held until `done` is called."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        credit: Credit,
        locate: Callable[[Callable[[], None]], None],
        done: Callable[[], object],
    ) -> None:
        self._loop = loop
        self._credit = credit
        self._done = done
        self._written = -1
        self._moved_s = self._began_s = loop.time()
        self._quiet = 0
        if credit.written() is None:
            locate(self._look)  # where the connection is was not known
        else:
            self._look()

    def _look(self) -> None:
        now_s, told = self._loop.time(), self._credit.written()
        if told is None:  # it has gone
            self._done()
            return
        written, takes_more = told
        if written != self._written:
            self._written, self._moved_s, self._quiet = written, now_s, 0
        else:
            self._quiet += 1
        over = takes_more and self._quiet >= QUIET_LOOKS
        if over or now_s - self._moved_s > STUCK_S or now_s - self._began_s > PARTING_S:
            self._credit.cut()
            self._done()
        else:
            self._loop.call_later(LOOK_S, self._look)


async def part(credit: Credit, locate: Callable[[Callable[[], None]], None]) -> None:
    """End a client's broken stream and wait for that."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    Parting(loop, credit, locate, ended.set)
    await ended.wait()
