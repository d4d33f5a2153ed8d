"""Where work on a body is done: on the event loop while it is short, else on a thread. Knows no guard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

INLINE_BYTES = 2 * 1024 * 1024
"""Up to this size a body is read on the event loop: all of it new takes every scanner some 15 ms where it is ordinary
text, and what is not is bounded (closer.EFFORT_NS). Larger ones (images, most often) go to a thread; a scan runs
without the interpreter lock."""


async def beside(size: int, work: Callable[[], T]) -> T:
    """What `work` returns; `size`: bytes that it goes through."""
    if size <= INLINE_BYTES:
        return work()
    return await asyncio.get_running_loop().run_in_executor(None, work)
