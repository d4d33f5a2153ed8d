"""What the server's thread does with each request that it brings (arrivals.py): plain calls begin.

Compiled (opening.pxd): once for every call. Knows nothing of what a call is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextvars import Context
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from fastgate.call import Downstream

log = logging.getLogger("fastgate.arrivals")


class Watcher(Protocol):
    """Granian's own view of one request."""

    scope: Any
    proto: Downstream

    def taskref(self, task: asyncio.Task[None]) -> None: ...
    def done(self) -> None: ...
    def err(self, error: BaseException) -> None: ...


Run = Callable[[Watcher], Coroutine[Any, Any, None]]


class Opened(Protocol):
    """A call whose body was asked for: `reading` is the server's future of it, and `begin` is called with it on the
    loop once it is over. That lets go of it: the future holds what it tells of, the call, and no collector sees through
    it. The call tells the watcher of its end."""

    reading: Any

    def begin(self, reading: Any, /) -> object: ...


class Answered(Enum):
    """In the place of a call: the request was refused in the server's thread, and nothing is left to do."""

    ANSWERED = True


ANSWERED = Answered.ANSWERED


class Plain(Protocol):
    """What an application does with plain calls."""

    def open(self, watcher: Any, /) -> Opened | Answered | None:
        """Begin a call and ask for its body; ANSWERED for one that is refused; None for a request that is no plain
        call."""


def scheduling(
    app: Plain, loop: asyncio.AbstractEventLoop, context: Context, otherwise: Callable[[Watcher], None]
) -> Callable[[Watcher], None]:
    """What the server's thread calls with each request. Plain ones begin when they are read, others by `otherwise`."""

    def schedule(watcher: Watcher) -> None:
        try:
            call = app.open(watcher)
            if call is ANSWERED:
                return
            if call is not None:
                reading, told = call.reading, call.begin
                # One that is over would tell the loop as if from within; this thread alone ends one that is not.
                if reading.done():
                    loop.call_soon_threadsafe(told, reading, context=context)
                else:
                    reading.add_done_callback(told, context=context)
                return
        except Exception:
            log.exception("a request could not be opened")
        otherwise(watcher)

    return schedule
