"""Circuit breakers of endpoints and how soon each answers, shared by all workers through one small mapped file.

An endpoint that fails five times in a row, or about half of its calls, is open: calls go to others first. When its time
is over one call, of any worker, is let through to probe it; that one's success closes it, its failure opens it for
longer. An open breaker never refuses a call: where no endpoint is healthy the order of the configuration holds, so a
lone endpoint is always tried.

Each field is one aligned store of 8 bytes, so a reader sees the old or the new value. Two workers that write at once
may lose a count or probe together: that costs one attempt, and needs no lock on a call's path. Times are monotonic.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import weakref
from hashlib import blake2b
from pathlib import Path
from random import random

SLOTS = 1024
"""Endpoints and keys known at a time; a deployment has tens. Those that are no longer configured keep their slot."""

FIELDS = 8
NAME, FAILURES, OPEN_UNTIL, PROBE_UNTIL, OPENED, LATENCY_US, LATENCY_AT, SHARE = 0, 1, 2, 3, 4, 5, 6, 7
"""Of a slot: digest of the name, failures in a row, when it may be probed, until when somebody probes, times opened;
mean time to the first byte of a stream, and when that was last measured; how many attempts ended since the first
failure (from bit 32 on), and which share of the last ones failed, in parts of WHOLE."""

FAILURES_TO_OPEN = 5
"""As many failures in a row are no accident; Envoy's outlier detection has the same default."""

OPEN_FIRST_NS = 1_000_000_000
OPEN_MAX_NS = 60_000_000_000
"""An endpoint stays open for a second, then twice as long each time it fails its probe, a minute at most."""

WHOLE = 1 << 16
SHARE_WEIGHT_BITS = 4
"""The share of failures leans on the last 16 attempts or so."""

OUTLIER_SHARE = WHOLE // 2
OUTLIER_ATTEMPTS = 20
"""Who fails so large a share, of so many attempts at least, is an outlier, though it never fails five times in a row:
every other call would pay for an attempt in vain. Below half, another try is cheaper than a cold prompt cache."""

OUTLIER_NS = 30_000_000_000
"""How long an outlier is left alone; Envoy's base ejection time."""

PROBE_NS = 10_000_000_000
"""A probe that has said nothing for this long is given up for another."""


LATENCY_KEPT_NS = 300_000_000_000
"""After five minutes without a stream nobody knows how soon an endpoint answers now: it is measured anew."""

LATENCY_WEIGHT = 8
"""The mean leans on about so many of the last streams."""


class HealthTable:
    """The mapped file. Made by whichever worker comes first."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        size = SLOTS * FIELDS * 8
        # For locks alone, opened once: new breakers are asked for on the loop. The mapping has one of its own.
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        weakref.finalize(self, os.close, self._fd)
        if os.fstat(self._fd).st_size < size:
            os.ftruncate(self._fd, size)
        self._map = mmap.mmap(self._fd, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self._cells = memoryview(self._map).cast("q")

    def breaker(self, name: str) -> Breaker:
        """The breaker of that name; the same cells in every worker."""
        digest = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little") >> 1 or 1
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        try:
            for step in range(SLOTS):
                at = (digest + step) % SLOTS * FIELDS
                if self._cells[at + NAME] in (0, digest):
                    self._cells[at + NAME] = digest
                    return Breaker(self._cells[at : at + FIELDS])
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)
        return Breaker(memoryview(bytearray(FIELDS * 8)).cast("q"))  # full: this worker's own


class Breaker:
    """One endpoint's health, as all workers see it."""

    _cells: memoryview

    def __init__(self, cells: memoryview) -> None:
        self._cells = cells

    def allows(self, now_ns: int) -> bool:
        """Whether a call should go here; True to one caller once its time is over: that call is the probe."""
        cells = self._cells
        until_ns = cells[OPEN_UNTIL]
        if not until_ns:
            return True
        if now_ns < until_ns <= now_ns + OPEN_MAX_NS:  # later: of a clock before this boot
            return False
        if now_ns < cells[PROBE_UNTIL] <= now_ns + PROBE_NS:
            return False
        cells[PROBE_UNTIL] = now_ns + PROBE_NS
        return True

    @property
    def is_open(self) -> bool:
        return bool(self._cells[OPEN_UNTIL])

    def ready(self, now_ns: int) -> bool:
        """Whether `allows` would say so now; nobody is promised the probe."""
        cells = self._cells
        until_ns = cells[OPEN_UNTIL]
        if not until_ns:
            return True
        return not (now_ns < until_ns <= now_ns + OPEN_MAX_NS or now_ns < cells[PROBE_UNTIL] <= now_ns + PROBE_NS)

    def latency_us(self, now_ns: int) -> int:
        """Mean time to the first byte of a stream, 0 where nobody knows it."""
        cells = self._cells
        latency_us = cells[LATENCY_US]
        return latency_us if latency_us and 0 <= now_ns - cells[LATENCY_AT] < LATENCY_KEPT_NS else 0

    def answered(self, latency_us: int, now_ns: int) -> None:
        """A stream began after so long."""
        cells, known_us = self._cells, self.latency_us(now_ns)
        if known_us:
            latency_us = ((LATENCY_WEIGHT - 1) * known_us + latency_us) // LATENCY_WEIGHT
        cells[LATENCY_US], cells[LATENCY_AT] = max(latency_us, 1), now_ns

    def succeeded(self) -> None:
        """It answered: what went before is forgotten."""
        cells = self._cells
        if cells[FAILURES] or cells[OPEN_UNTIL]:
            if cells[OPEN_UNTIL]:
                cells[SHARE] = 0  # it is well again, as far as one call tells
            cells[FAILURES] = cells[OPEN_UNTIL] = cells[PROBE_UNTIL] = cells[OPENED] = 0
        if cells[SHARE]:
            self._count(0)

    def _count(self, failed: int) -> bool:
        """Take an attempt into the share of failures; True where that makes an outlier."""
        cells = self._cells
        attempts, share = cells[SHARE] >> 32, cells[SHARE] & 0xFFFF_FFFF
        share += (failed * WHOLE >> SHARE_WEIGHT_BITS) - (share >> SHARE_WEIGHT_BITS)
        attempts = min(attempts + 1, OUTLIER_ATTEMPTS)
        if share < WHOLE >> 2 * SHARE_WEIGHT_BITS:  # long ago: forgotten
            attempts = share = 0
        cells[SHARE] = attempts << 32 | share
        return attempts >= OUTLIER_ATTEMPTS and share >= OUTLIER_SHARE

    def failed(self, now_ns: int, wait_ns: int = 0) -> None:
        """It failed. `wait_ns`: it said itself for how long (retry-after), and is left alone at once."""
        cells = self._cells
        cells[FAILURES] += 1
        outlier = self._count(1)
        probed = cells[OPEN_UNTIL] != 0 and now_ns >= cells[OPEN_UNTIL]
        if wait_ns:
            cells[OPEN_UNTIL] = now_ns + min(wait_ns, OPEN_MAX_NS)
        elif probed or (cells[FAILURES] >= FAILURES_TO_OPEN and not cells[OPEN_UNTIL]):
            length_ns = min(OPEN_FIRST_NS << min(cells[OPENED], 10), OPEN_MAX_NS)
            cells[OPENED] += 1
            cells[OPEN_UNTIL] = now_ns + length_ns - int(length_ns * random() / 5)  # noqa: S311  # spreads probes
        elif outlier and not cells[OPEN_UNTIL]:
            cells[SHARE] = 0
            cells[OPEN_UNTIL] = now_ns + OUTLIER_NS - int(OUTLIER_NS * random() / 5)  # noqa: S311  # spreads probes
        cells[PROBE_UNTIL] = 0
