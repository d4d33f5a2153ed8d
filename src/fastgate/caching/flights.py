"""Questions that are being answered now, so that the same question waits for that answer instead of buying another.

The first call leads: it asks the provider and is charged. Those that follow get its stream as it comes, from a tape
that the pump keeps, or its whole answer at the end. Knows pumps, not calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from fastgate.caching.entry import Entry

FOLLOWERS_MAX = 256
"""Calls that follow one; a crowd larger than that is no team, and each would hold a place in memory."""


class Stage(Enum):
    WAITING = "waiting"
    STREAMING = "streaming"
    DONE = "done"
    FAILED = "failed"


class Source(Protocol):
    """Where an answer comes from: a pump, or a neighbour's (neighbours.py)."""

    @property
    def tape(self) -> list[bytes] | None:
        """What has come so far."""

    def share(self, listener: Callable[[], object]) -> None:
        """Others live on it: `listener` is called when there is more on the tape."""

    def unshare(self) -> None:
        """Nobody else does any more."""


Origin = tuple[str, str, str]
"""Who answered: model, endpoint, its kind."""


class Flight:
    """One question under way. `pump` tells where its answer comes from, None while that is not known: a call's has no
    connection yet."""

    __slots__ = (
        "_waiters", "broken", "call_id", "cost_nano", "entry", "error", "followers", "origin", "proof", "pump", "stage",
        "tape",
    )  # fmt: skip

    def __init__(self, proof: bytes, call_id: str, pump: Callable[[], Source | None]) -> None:
        self.proof = proof
        self.call_id = call_id
        self.pump = pump
        self.stage = Stage.WAITING
        self.followers = 0
        self.tape: list[bytes] | None = None
        self.origin: Origin = ("none", "none", "none")
        self.entry: Entry | None = None
        self.cost_nano = 0
        self.error = ""
        """What was wrong with the answer, in the words of the leader's record."""
        self.broken = False
        """The stream broke off: whoever has begun to pass it on breaks off too."""
        self._waiters: list[asyncio.Future[None]] = []

    # -- the leader's side ------------------------------------------------------------------------------------------

    def stream_begins(self, origin: Origin) -> None:
        """The head of a stream has come, and the pump records it."""
        self.stage, self.origin = Stage.STREAMING, origin
        if self.followers:
            self._attach()
        self.wake()

    def lead_on(self) -> None:
        """The leader's client leaves: those who follow keep the upstream."""
        pump = self.pump()
        if pump is not None and self.followers:
            pump.share(self.wake)

    def end(self, entry: Entry | None, cost_nano: int, error: str, *, broken: bool) -> None:
        """The leader's answer is complete; `entry` is None for one that cannot be given to others."""
        self.entry, self.cost_nano, self.error, self.broken = entry, cost_nano, error, broken
        self.stage = Stage.FAILED if entry is None else Stage.DONE
        self.wake()

    # -- the followers' side ----------------------------------------------------------------------------------------

    def join(self, proof: bytes) -> bool:
        """Follow this call, if it asks the same and all it has said so far is on the tape."""
        if proof != self.proof or self.followers >= FOLLOWERS_MAX or self.stage in (Stage.DONE, Stage.FAILED):
            return False
        self.followers += 1
        if self.stage is Stage.STREAMING and not self._attach():
            self.followers -= 1
            return False
        return True

    def part(self) -> None:
        """A follower leaves, at its end or before."""
        self.followers -= 1
        pump = self.pump()
        if self.followers == 0 and pump is not None and self.stage in (Stage.WAITING, Stage.STREAMING):
            pump.unshare()

    def changed(self, loop: asyncio.AbstractEventLoop) -> asyncio.Future[None]:
        """Set when there is more on the tape, or the stage changes."""
        future: asyncio.Future[None] = loop.create_future()
        self._waiters.append(future)
        return future

    def wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for future in waiters:
            if not future.done():
                future.set_result(None)

    def _attach(self) -> bool:
        pump = self.pump()
        if pump is None or pump.tape is None:
            return False
        self.tape = pump.tape
        pump.share(self.wake)
        return True
