"""What a call waits for before it is sent: its turn, money, the moment of another attempt.

Such a wait ends early when the client leaves or the worker has to end: the call is told which, and nothing is sent for
it. The watch (deadlines.py) ends it by `call.waiting`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from fastgate.errors import client_gone, draining

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from fastgate.call import Call

T = TypeVar("T")


async def wait(call: Call, ends: asyncio.Future[Any], outcome: Awaitable[T]) -> T:
    """The outcome, which is there once `ends` is. Raises GatewayError where that was cancelled for the call's client or
    its worker."""
    call.waiting = ends
    try:
        return await outcome
    except asyncio.CancelledError:
        if has_left(call):
            raise client_gone() from None
        if call.late:
            raise draining() from None
        raise
    finally:
        call.waiting = None


async def pause(call: Call, seconds: float) -> None:
    """Let so much time pass."""
    over = asyncio.ensure_future(asyncio.sleep(seconds))
    await wait(call, over, over)


def has_left(call: Call) -> bool:
    return call.watched is not None and call.watched.done() and not call.watched.cancelled()
