"""How a plain call comes from the server's threads to the event loop: once, when its body is there.

Granian's own way wakes the loop for a request; its task asks for the body; a thread that has it wakes the loop again.
Here the thread that brings a request reads its head (`App.open`, which waits for nothing) and asks for the body, and
the call goes on when that has come, which saves a wake-up each way. That thread holds the interpreter lock, and
what it changes it changes in single steps. Whatever is not plain, or is refused, goes Granian's own way.

Leans on Granian's internals, as the relay's credit does: its version is pinned. Knows nothing of what a call is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import TYPE_CHECKING, Any, Protocol

from granian._futures import _cbsched_aioschedule
from granian._granian import CallbackScheduler
from granian.server import mp

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


class Plain(Protocol):
    """What an application does with plain calls."""

    def open(self, watcher: Any, /) -> Opened | None:
        """Begin a call and ask for its body; None for a request that is no plain call."""


def scheduling(
    app: Plain, loop: asyncio.AbstractEventLoop, context: Context, otherwise: Callable[[Watcher], None]
) -> Callable[[Watcher], None]:
    """What the server's thread calls with each request. Plain ones begin when they are read, others by `otherwise`."""

    def schedule(watcher: Watcher) -> None:
        try:
            call = app.open(watcher)
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


async def carry(watcher: Watcher, call: Coroutine[Any, Any, None]) -> None:
    """What Granian wraps around an application, around a call that goes on as a task."""
    try:
        await call
    except BaseException as error:  # noqa: BLE001  # as Granian's own: it answers 500 and logs it
        watcher.err(error)
        return
    watcher.done()


class Scheduler(CallbackScheduler):
    """Granian's, but for plain calls."""

    __slots__ = ()

    def __new__(cls, loop: asyncio.AbstractEventLoop, run: Run, app: Plain) -> Scheduler:
        return super().__new__(cls, loop, run, None, None, None)  # type: ignore[call-arg]  # not in Granian's stubs

    def __init__(self, loop: asyncio.AbstractEventLoop, run: Run, app: Plain) -> None:
        otherwise = _cbsched_aioschedule(loop, self._ctx, run)  # type: ignore[no-untyped-call]
        self._schedule_fn = scheduling(app, loop, self._ctx, otherwise)


def install(app: Plain) -> None:
    """Have this worker's server ask `app` first. Granian makes its scheduler after it has called `__rsgi_init__`."""

    def made(loop: asyncio.AbstractEventLoop, run: Run, impl_asyncio: bool) -> Scheduler:
        return Scheduler(loop, run, app)

    vars(mp)["_new_cbscheduler"] = made
