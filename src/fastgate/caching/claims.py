"""Who of this machine's workers buys which answer: one record lock a question, on files that hold nothing.

The byte that a question's digest names is locked by the process that buys its answer. The kernel says who that is and
frees it with the process, however it ends: there is no table, no lease and no owner to be proven dead.
"""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

LOCK = struct.Struct("hhqqi0q")
"""`struct flock` of 64-bit Linux: type, whence, start, length, process."""

OFFSET_BITS = 62
"""A file's bytes are counted in 63 bits, and the lock's end must be one of them."""

FILES = 16
"""The kernel looks through all locks of a file: with a thousand on it a claim takes 12 microseconds, else 1.5."""

TRIES = 3
"""A claim that was there and is gone is tried for again so often."""


class Claims:
    """One process's, which opens each file once: closing any descriptor of it frees all that the process holds."""

    def __init__(self, directory: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._files = [os.open(directory / f"claims.{n}", flags, 0o600) for n in range(FILES)]

    def take(self, find: bytes) -> int:
        """0 where the question is this process's from now on; else whose it is, a process id, -1 for an unknown one."""
        start, file = offset(find), self._file(find)
        for _ in range(TRIES):
            try:
                fcntl.fcntl(file, fcntl.F_SETLK, LOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, start, 1, 0))
            except OSError:
                told = fcntl.fcntl(file, fcntl.F_GETLK, LOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, start, 1, 0))
                kind, _, _, _, pid = LOCK.unpack(told)
                if kind != fcntl.F_UNLCK:
                    return pid if pid > 0 else -1  # of another name space of processes
            else:
                return 0
        return -1

    def give(self, find: bytes) -> None:
        """Free it; nothing where it is not held."""
        fcntl.fcntl(self._file(find), fcntl.F_SETLK, LOCK.pack(fcntl.F_UNLCK, os.SEEK_SET, offset(find), 1, 0))

    def _file(self, find: bytes) -> int:
        return self._files[find[-1] % FILES]

    def close(self) -> None:
        for file in self._files:
            os.close(file)


def offset(find: bytes) -> int:
    return int.from_bytes(find[:8], "little") >> (64 - OFFSET_BITS)
