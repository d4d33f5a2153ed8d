"""A call that waits for money, as lending.py serves it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastgate.gateway.allowance import Draw


@dataclass(slots=True, eq=False)
class Waiter:
    """The future gives its Hold, or the Answer that refuses it, or None: the store cannot be reached."""

    call: int
    draw: Draw
    need_nano: int
    floor_nano: int
    deadline_ns: int
    future: asyncio.Future[Any]
    asked: bool = False
    """The store knows of it."""
