"""The thread that writes a worker's answers to the shared file, in batches, so that no call waits for the disk."""

from __future__ import annotations

import threading
from collections import deque

import lmdb

from fastgate.caching.disk import Disk, DiskFullError, Write
from fastgate.clock import wall_ns
from fastgate.log import Log

BATCH_S = 0.1
"""How long the first of a batch waits for others: one disk flush then serves them all, and other workers have the
entry well within a second."""

WAITING_BYTES = 32 * 1024 * 1024
"""Answers that may wait to be written; more are not stored, and counted."""

CLOSE_S = 5.0
"""How long the last batch may take when the worker ends."""

log = Log("cache")


class Writer:
    """One worker's queue. `skipped` counts what did not fit into it or onto the disk."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self.skipped = 0
        self._queue: deque[Write] = deque()
        self._damaged: deque[bytes] = deque()
        self._put_bytes = self._taken_bytes = 0  # one is the loop's, the other the thread's: no lock
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cache-writer", daemon=True)
        self._thread.start()

    def put(self, write: Write) -> None:
        size = write[1].size
        if self._put_bytes + size - self._taken_bytes > WAITING_BYTES:
            self.skipped += 1
            return
        self._put_bytes += size
        self._queue.append(write)
        self._wake.set()

    def drop_damaged(self, find: bytes) -> None:
        self._damaged.append(find)
        self._wake.set()

    def close(self) -> None:
        self._closing.set()
        self._wake.set()
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        while not (self._closing.is_set() and not self._queue and not self._damaged):
            self._wake.wait()
            self._closing.wait(BATCH_S)
            self._wake.clear()
            self._write()

    def _write(self) -> None:
        batch = [self._queue.popleft() for _ in range(len(self._queue))]
        damaged = [self._damaged.popleft() for _ in range(len(self._damaged))]
        self._taken_bytes += sum(entry.size for _, entry in batch)
        try:
            if damaged:
                self.disk.drop_damaged(damaged)
            if batch:
                self.disk.write(batch, wall_ns())
        except DiskFullError:
            self.skipped += len(batch)
        except lmdb.Error as error:
            self.skipped += len(batch)
            log.error("answers cannot be stored", why=error, skipped=len(batch))
