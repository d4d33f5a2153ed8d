"""How late the event loops of the workers were: a histogram a worker, in a file that others read while it grows.

`lag/{epoch}.lag` in the state directory: a count for each bound of LAG_BOUNDS_MS, one for what is later, and the sum of
all lateness in nanoseconds; eight bytes each in the machine's order, single aligned stores. Written by its worker
alone; the control plane adds those of live workers up.
"""

from __future__ import annotations

import mmap
import os
import struct
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

LAG_BOUNDS_MS = (0.25, 0.5, 1, 2, 3, 4, 5, 7.5, 10, 15, 20, 30, 50, 75, 100, 150, 250, 500, 1000, 2500)
"""Fine around five milliseconds, which is what 999 of 1,000 beats are to keep (PROMISES.md, P-30)."""

BOUNDS_NS = tuple(int(bound * 1e6) for bound in LAG_BOUNDS_MS)
CELLS = len(LAG_BOUNDS_MS) + 2
SUFFIX = ".lag"


class LagCounts:
    """The histogram of one worker, made anew at `path`."""

    def __init__(self, path: Path) -> None:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.truncate(fd, CELLS * 8)
            self._map = mmap.mmap(fd, CELLS * 8)
        finally:
            os.close(fd)
        self._cells = memoryview(self._map).cast("Q")
        self._path = path

    def add(self, late_ns: int) -> None:
        cells = self._cells
        cells[bisect_left(BOUNDS_NS, late_ns)] += 1
        cells[CELLS - 1] += late_ns

    def close(self) -> None:
        self._cells.release()
        self._map.close()
        self._path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Lag:
    """How late loops were. `counts` has one figure for each of LAG_BOUNDS_MS, and one for what was later."""

    counts: Sequence[int]
    sum_ns: int

    @property
    def beats(self) -> int:
        return sum(self.counts)

    def within(self, share: float) -> float:
        """The least of LAG_BOUNDS_MS that `share` of all beats kept, in ms; infinity where none did."""
        seen, wanted = 0, share * self.beats
        for count, bound in zip(self.counts, LAG_BOUNDS_MS, strict=False):
            seen += count
            if seen >= wanted:
                return bound
        return float("inf")

    def since(self, earlier: Lag) -> Lag:
        counts = [now - before for now, before in zip(self.counts, earlier.counts, strict=True)]
        return Lag(counts, self.sum_ns - earlier.sum_ns)


def lag_of(folder: Path, epochs: Iterable[str]) -> Lag:
    """That of these workers together; one that has no file yet, or none any more, counts nothing."""
    total = [0] * CELLS
    for epoch in epochs:
        try:
            data = (folder / f"{epoch}{SUFFIX}").read_bytes()
        except FileNotFoundError:
            continue
        if len(data) == CELLS * 8:
            total = [a + b for a, b in zip(total, struct.unpack(f"={CELLS}Q", data), strict=True)]
    return Lag(total[:-1], total[-1])


def sweep(folder: Path, living: Iterable[str]) -> None:
    """Takes the files of workers away that are not among the `living`."""
    kept = {f"{epoch}{SUFFIX}" for epoch in living}
    for path in folder.glob("*" + SUFFIX):
        if path.name not in kept:
            path.unlink(missing_ok=True)
