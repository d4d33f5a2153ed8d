"""This worker's line to the store of money: one thread, and the file opened when the first budget asks for it.

The one SQL access of the data plane. Nothing here is called on the event loop but `run`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from fastgate.stores.counters import Database, WorkerCounters
from fastgate.stores.ledger_port import Ask, CellKey, Exchange, Figures

T = TypeVar("T")


class Counters:
    """The store as lending.py needs it."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop, *, durable: bool) -> None:
        self._path = path
        self._durable = durable
        self._loop = loop
        self._threads: ThreadPoolExecutor | None = None
        self._store: WorkerCounters | None = None

    def run(self, work: Callable[..., T], *arguments: object) -> asyncio.Future[T]:
        """Call `work` on the store's thread."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(1, thread_name_prefix="counters")
        return self._loop.run_in_executor(self._threads, work, *arguments)

    def exchange(
        self,
        epoch: str,
        returns: Iterable[tuple[int, int]],
        asks: list[Ask],
        gone: Iterable[int],
        until_ns: int,
        now_ns: int,
    ) -> Exchange:
        return self._open().exchange(epoch, returns, asks, gone, until_ns, now_ns)

    def figures(self, wanted: list[tuple[CellKey, int]]) -> list[Figures]:
        """What is spent and leased of each (cell, moment after which its neighbours count too)."""
        return self._open().figures(wanted)

    def window(self, key: CellKey, since_ns: int) -> list[tuple[int, int]]:
        return self._open().window(key, since_ns)

    def _open(self) -> WorkerCounters:
        if self._store is None:
            self._store = WorkerCounters(Database(self._path, durable=self._durable))
        return self._store

    def close(self) -> None:
        """Wait for what is under way; leases stay as they are until the control plane has seen this worker's end."""
        if self._threads is not None:
            self._threads.shutdown(wait=True)
        if self._store is not None:
            self._store.close()
