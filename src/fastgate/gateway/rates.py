"""Rate and concurrency limits of one worker: the table that it shares with the others, and a gate for each principal.

Owns the files under `rates/`: the table, and one lock a lane, which proves that the lane's worker is alive. Whether a
call may enter is _core.rates' business; what a refusal says is the policy room's.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path
from typing import Literal

from fastgate._core.rates import HEAD_BYTES, LANE_BYTES, LANES, TABLE_BYTES, Gate, RateTable
from fastgate.snapshot import KeyRow, RateRow, Snapshot

LEVELS: tuple[Literal["key", "user", "team"], ...] = ("key", "user", "team")
"""In the order in which a gate looks at them, and in which its refusals count them."""


class Limited:
    """A gate and the limits behind it, for the words of a refusal: (level, id, limits)."""

    __slots__ = ("gate", "limits")

    def __init__(self, gate: Gate, limits: list[tuple[str, str, RateRow]]) -> None:
        self.gate = gate
        self.limits = limits


class Rates:
    """The gates of one worker. Opens the table when the first snapshot limits somebody."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._table: RateTable | None = None
        self._limits: dict[tuple[str, str], RateRow] = {}
        self._gates: dict[str, Limited | None] = {}
        self._lane_fd = self._table_fd = -1

    def adopt(self, snapshot: Snapshot) -> None:
        """Follow a snapshot's limits. Raises OSError when the table is needed and cannot be made."""
        limited = snapshot.rates is not None or any(any(endpoint.limits) for endpoint in snapshot.endpoints)
        if limited and self._table is None:
            self._table = self._open()
        self._limits, self._gates = snapshot.rates or {}, {}

    def find(self, who: KeyRow) -> Limited | None:
        """The limits that a principal's calls are under; None for none."""
        try:
            return self._gates[who.key]
        except KeyError:
            made = self._gates[who.key] = self._make(who)
            return made

    def gate(self, level: str, of: str, limits: tuple[int, int, int]) -> Gate | None:
        """A gate of something that is no principal: requests and tokens a minute, calls in flight. None without any."""
        if not any(limits) or self._table is None:
            return None
        return self._table.gate([(_key(level, of), *limits)])

    def _make(self, who: KeyRow) -> Limited | None:
        subjects = (("key", who.key), ("user", who.user), ("team", who.team))
        found = [(level, of, limits_of(self._limits, level, of)) for level, of in subjects if of]
        limits = [(level, of, row) for level, of, row in found if row is not None]
        if not limits or self._table is None:
            return None
        gate = self._table.gate([(_key(level, of), *_numbers(row)) for level, of, row in limits])
        return Limited(gate, limits)

    def _open(self) -> RateTable:
        """The table, made anew by the first worker of a run: what it counts means nothing after a restart."""
        self._table_fd = fd = os.open(self._folder / "table", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(fd, 0)
        except BlockingIOError:
            pass
        fcntl.flock(fd, fcntl.LOCK_SH)
        os.ftruncate(fd, TABLE_BYTES)
        lane, self._lane_fd = _take_lane(self._folder)
        # The space that this worker writes is taken now: a store into a hole of a full disk would kill it.
        os.posix_fallocate(fd, 0, HEAD_BYTES)
        os.posix_fallocate(fd, HEAD_BYTES + lane * LANE_BYTES, LANE_BYTES)
        return RateTable(fd, lane)

    def close(self) -> None:
        self._gates, self._table = {}, None
        for fd in (self._lane_fd, self._table_fd):
            if fd >= 0:
                os.close(fd)
        self._lane_fd = self._table_fd = -1


def limits_of(rates: dict[tuple[str, str], RateRow], level: str, of: str) -> RateRow | None:
    """The limits in force of one subject, None where it has none. A key's own stand before those of every key."""
    own = rates.get((level, of))
    every = rates.get((level, "")) if level == "key" else None
    row = own
    if own is not None and every is not None:
        mixed = [mine if mine is not None else theirs for mine, theirs in zip(_raw(own), _raw(every), strict=True)]
        row = RateRow("key", of, *mixed)
    elif own is None:
        row = every
    return row if row is not None and any(_raw(row)) else None


def _raw(row: RateRow) -> tuple[int | None, int | None, int | None]:
    return row.requests_per_minute, row.tokens_per_minute, row.parallel_calls


def _numbers(row: RateRow) -> tuple[int, int, int]:
    return row.requests_per_minute or 0, row.tokens_per_minute or 0, row.parallel_calls or 0


def _key(level: str, of: str) -> int:
    """Who is limited, in 64 bits, never 0."""
    return int.from_bytes(hashlib.blake2b(f"{level}:{of}".encode(), digest_size=8).digest()) or 1


def _take_lane(folder: Path) -> tuple[int, int]:
    """The lowest lane whose worker is dead or never was, and the descriptor that holds it."""
    for lane in range(LANES):
        fd = os.open(folder / f"lane-{lane}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            continue
        return lane, fd
    raise OSError(f"all {LANES} lanes of the rate table are taken")
