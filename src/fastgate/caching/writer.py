"""The thread that writes a worker's answers to the shared file, so that no event loop waits for the file's one writer.

What waits while a write runs goes together into the next one. Whoever put an answer may wait until it is there.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque

import lmdb

from fastgate.caching.disk import Disk, DiskFullError, Write
from fastgate.clock import wall_ns
from fastgate.log import Log

WAITING_BYTES = 32 * 1024 * 1024
"""Answers that may wait to be written; more are not stored, and counted."""

CLOSE_S = 5.0
"""How long the last batch may take when the worker ends."""

log = Log("cache")

Done = asyncio.Future[None]


class Writer:
    """One worker's queue. `skipped` counts what did not fit into it or onto the disk."""

    def __init__(self, disk: Disk, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.disk = disk
        self.loop = loop
        self.skipped = 0
        self._queue: deque[tuple[Write, Done | None]] = deque()
        self._damaged: deque[bytes] = deque()
        self._put_bytes = self._taken_bytes = 0  # one is the loop's, the other the thread's: no lock
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="cache-writer", daemon=True)
        self._thread.start()

    def put(self, write: Write) -> Done | None:
        """Queues an answer; the future is set once it is written or given up. None when the queue is full."""
        size = write[1].size
        if self._put_bytes + size - self._taken_bytes > WAITING_BYTES:
            self.skipped += 1
            return None
        self._put_bytes += size
        done = self.loop.create_future() if self.loop is not None else None
        self._queue.append((write, done))
        self._wake.set()
        return done

    def drop_damaged(self, find: bytes) -> None:
        self._damaged.append(find)
        self._wake.set()

    def close(self) -> None:
        self._closing = True
        self._wake.set()
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        while not (self._closing and not self._queue and not self._damaged):
            self._wake.wait()
            self._wake.clear()
            self._write()

    def _write(self) -> None:
        batch = [self._queue.popleft() for _ in range(len(self._queue))]
        damaged = [self._damaged.popleft() for _ in range(len(self._damaged))]
        self._taken_bytes += sum(write[1].size for write, _ in batch)
        try:
            if damaged:
                self.disk.drop_damaged(damaged)
            if batch:
                self.disk.write([write for write, _ in batch], wall_ns())
        except DiskFullError:
            self.skipped += len(batch)
        except lmdb.Error as error:
            self.skipped += len(batch)
            log.error("answers cannot be stored", why=error, skipped=len(batch))
            self.disk.failed(error)
        if self.loop is not None and batch and not self._closing:
            self.loop.call_soon_threadsafe(tell, [done for _, done in batch if done is not None])


def tell(waiting: list[Done]) -> None:
    for done in waiting:
        if not done.done():
            done.set_result(None)
