"""How a plain call comes from the server's threads to the event loop: once, when its body is there.

Granian's own way wakes the loop for a request; its task asks for the body; a thread that has it wakes the loop again.
Here the thread that brings a request reads its head (`Door.open`, which waits for nothing) and asks for the body, and
the call goes on when that has come, which saves a wake-up each way. That thread holds the interpreter lock, and
what it changes it changes in single steps. It refuses itself what an overloaded worker takes no more of; whatever else
is not plain, or is refused, goes Granian's own way.

Leans on Granian's internals, as the relay's credit does: its version is pinned. Knows nothing of what a call is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from granian._futures import _cbsched_aioschedule
from granian._granian import CallbackScheduler
from granian.server import mp

from fastgate.gateway.opening import Plain, Run, Watcher, scheduling


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
