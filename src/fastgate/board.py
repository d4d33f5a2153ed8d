"""The notice board: one shared memory page through which the supervisor and the control plane speak to every worker.

Written rarely, read often: workers poll it every 50 ms and a read costs a few tens of nanoseconds. Each field is one
aligned store of at most 8 bytes, so a reader sees the old or the new value, never a mixture; there is no lock.
Owns the layout of the page. Knows nothing of who reads it.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

from fastgate.clock import mono_ns

PAGE_BYTES = 4096
"""One page of memory, the smallest mapping there is."""

MAGIC = b"FGBOARD1"

_MAGIC_AT = 0
_GENERATION_AT = 8
_DRAINING_AT = 16
_STOP_AT_NS = 24
_WANTED_AT_NS = 32
_STAGES_AT_NS = 40


class BoardError(OSError):
    """The file is not a board of this version."""


class Board:
    """The mapped page. `generation` is the published snapshot's; `draining` tells workers to refuse new calls;
    `stop_at_ns` is the monotonic time at which calls still in flight are to be ended (0: never). `wanted_at_ns` moves
    while some worker waits for budget that others hold unused, `stages_at_ns` when budget stages are published: both
    are times since the machine started, so that two writers at once still leave a value that nobody has seen."""

    def __init__(self, page: mmap.mmap) -> None:
        self._map = page
        self._page = memoryview(page)
        self._generation = self._page[_GENERATION_AT : _GENERATION_AT + 8].cast("Q")
        self._draining = self._page[_DRAINING_AT : _DRAINING_AT + 1].cast("?")
        self._stop_at_ns = self._page[_STOP_AT_NS : _STOP_AT_NS + 8].cast("Q")
        self._wanted_at_ns = self._page[_WANTED_AT_NS : _WANTED_AT_NS + 8].cast("Q")
        self._stages_at_ns = self._page[_STAGES_AT_NS : _STAGES_AT_NS + 8].cast("Q")

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Board:
        """Maps the board at `path`, making it when there is none. Raises BoardError or OSError."""
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(fd).st_size < PAGE_BYTES:
                os.ftruncate(fd, PAGE_BYTES)
            page = mmap.mmap(fd, PAGE_BYTES, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        finally:
            os.close(fd)
        magic = page[_MAGIC_AT : _MAGIC_AT + len(MAGIC)]
        if magic == bytes(len(MAGIC)):
            page[_MAGIC_AT : _MAGIC_AT + len(MAGIC)] = MAGIC
        elif magic != MAGIC:
            page.close()
            raise BoardError(f"{Path(path)} is not a fastgate board; remove it while fastgate is stopped")
        return cls(page)

    def close(self) -> None:
        times = (self._stop_at_ns, self._wanted_at_ns, self._stages_at_ns)
        for view in (self._generation, self._draining, *times, self._page):
            view.release()
        self._map.close()

    @property
    def generation(self) -> int:
        return self._generation[0]

    @generation.setter
    def generation(self, value: int) -> None:
        self._generation[0] = value

    @property
    def draining(self) -> bool:
        return self._draining[0]

    @draining.setter
    def draining(self, value: bool) -> None:
        self._draining[0] = value

    @property
    def stop_at_ns(self) -> int:
        return self._stop_at_ns[0]

    @stop_at_ns.setter
    def stop_at_ns(self, value: int) -> None:
        self._stop_at_ns[0] = value

    @property
    def wanted_at_ns(self) -> int:
        return self._wanted_at_ns[0]

    @wanted_at_ns.setter
    def wanted_at_ns(self, value: int) -> None:
        self._wanted_at_ns[0] = value

    @property
    def stages_at_ns(self) -> int:
        return self._stages_at_ns[0]

    @stages_at_ns.setter
    def stages_at_ns(self, value: int) -> None:
        self._stages_at_ns[0] = value

    @property
    def must_stop(self) -> bool:
        """Whether calls still in flight are to be ended now."""
        stop_at_ns = self._stop_at_ns[0]
        return stop_at_ns != 0 and mono_ns() >= stop_at_ns
