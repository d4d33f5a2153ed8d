"""Keeps the usage table up with the journal: looks several times a second, takes what is new, keeps house once an hour.

Owns when; what is stored is usage.py's affair. Run by the control process, or called once by the command line when no
control process runs: both may go on at the same time without counting anything twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from fastgate import clock
from fastgate.control.feed import CallFeed
from fastgate.control.usage import DAY_NS, RETENTION_DAYS, Taken, UsageTable
from fastgate.journal.format import segment_path, segments_of
from fastgate.journal.retention import Positions, retire_segments
from fastgate.stores.ports import StoreError

log = logging.getLogger("fastgate.ingest")

POLL_S = 0.1
"""A finished call is visible within this and the time of one transaction; promised is 1 s."""

BUSY_POLL_S = 0.2
BUSY_RECORDS = 100
"""Where a look finds so many, it has taken most of its time for what it costs by itself, so they are fewer."""

RETRY_S = 1.0
"""After a failure of the disk or the database: it is told, and tried again."""

HOUSEKEEPING_S = 3600.0

CONSUMER = "usage"
"""This consumer's name among those that the journal's retention waits for."""

Extent = tuple[int, int, bool]
"""Last segment, its size, whether a writer has it open."""


class Ingestor:
    """Brings the calls of the journals into `table`. `behind` says whether there was more than one step could take."""

    def __init__(
        self,
        table: UsageTable,
        journals: Path | CallFeed,
        *,
        retention_days: int = RETENTION_DAYS,
        others: Callable[[], Mapping[str, Positions]] = dict,
    ) -> None:
        self.table = table
        self.feed = journals if isinstance(journals, CallFeed) else CallFeed(journals)
        self.retention_days = retention_days
        self.behind = True
        self._others = others
        self._finished = table.finished_epochs()
        self._taken: dict[str, Extent] = {}
        """What each unfinished epoch was like when all of it had been taken."""

    def news(self) -> list[str]:
        """The epochs that have changed since they were last taken whole. A few file system calls for each worker."""
        return [epoch for epoch in self._unfinished() if self._extent(epoch) != self._taken.get(epoch)]

    def step(self) -> int:
        """Take one batch of every epoch that has news; returns the number of records. StoreError or OSError."""
        count = 0
        self.behind = False
        extents = {epoch: self._extent(epoch) for epoch in self._unfinished()}
        left = [epoch for epoch, extent in extents.items() if extent != self._taken.get(epoch)]
        while left:
            for epoch, taken in self.table.take_together(self.feed, left).items():
                left.remove(epoch)
                count += taken.records
                self._note(epoch, taken, extents[epoch])
        return count

    def _note(self, epoch: str, taken: Taken, extent: Extent) -> None:
        for damage in taken.damage:
            log.error("the journal is damaged: %s", damage)
        if taken.finished:
            self._finished.add(epoch)
            self._taken.pop(epoch, None)
        elif taken.more:
            self.behind = True
        else:
            self._taken[epoch] = extent

    def catch_up(self) -> int:
        """Take everything that is there now; returns the number of records."""
        count = self.step()
        while self.behind:
            count += self.step()
        return count

    def keep_house(self, now_ns: int, others: Mapping[str, Positions] | None = None) -> int:
        """Delete what is older than the retention: calls, and segments that this consumer and all `others` have read.
        Returns how many calls were deleted."""
        pruned = self.table.prune(now_ns, self.retention_days)
        consumers = {CONSUMER: self.table.positions(), **(others or {})}
        before_ns = now_ns - self.retention_days * DAY_NS
        retired = retire_segments(self.feed.journal_dir, consumers, before_ns)
        left = set(self.feed.epochs())
        self.table.forget_epochs(epoch for epoch in self._finished if epoch not in left)
        self._finished &= left
        if pruned or retired:
            log.info(
                "deleted %d calls and %d journal segments over %d days old", pruned, len(retired), self.retention_days
            )
        return pruned

    async def run(self) -> None:
        """Until cancelled. Nothing of the disk or the database ends it."""
        house_at_ns = clock.mono_ns()
        while True:
            pause_s = POLL_S
            try:
                if self.news():
                    records = await asyncio.to_thread(self.step)
                    pause_s = 0 if self.behind else BUSY_POLL_S if records >= BUSY_RECORDS else POLL_S
                elif clock.mono_ns() >= house_at_ns:
                    house_at_ns = clock.mono_ns() + int(HOUSEKEEPING_S * 1e9)
                    await asyncio.to_thread(self.keep_house, clock.wall_ns(), self._others())
            except (StoreError, OSError) as error:
                self.behind = True
                log.error("calls cannot be counted, trying again: %s", error)
                pause_s = RETRY_S
            await asyncio.sleep(pause_s)

    def _unfinished(self) -> list[str]:
        return [epoch for epoch in self.feed.epochs() if epoch not in self._finished]

    def _extent(self, epoch: str) -> Extent:
        is_open = self.feed.is_open(epoch)
        segments = segments_of(self.feed.journal_dir, epoch)
        if not segments:
            return 0, 0, True  # nothing to take yet, whoever has it open
        return segments[-1], segment_path(self.feed.journal_dir, epoch, segments[-1]).stat().st_size, is_open
