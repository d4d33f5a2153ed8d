"""Building very many objects at once. Knows nothing of what they are."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_lock = Lock()
_bursts = 0


@contextmanager
def burst() -> Iterator[None]:
    """No cycle collection while a large result without cycles is built. With 100,000 keys the collector, started anew
    by every few hundred allocations and walking all of them, took two thirds of the time. Nests, in threads too."""
    global _bursts
    with _lock:
        _bursts += 1
        if _bursts == 1:
            gc.disable()
    try:
        yield
    finally:
        with _lock:
            _bursts -= 1
            if _bursts == 0:
                gc.enable()
