"""Who of this machine's workers buys which answer: one record lock a question, on one file that holds nothing.

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

TRIES = 3
"""A claim that was there and is gone is tried for again so often."""


class Claims:
    """One process's. A process opens the file once: closing any descriptor of it frees all that the process holds."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def take(self, find: bytes) -> int:
        """0 where the question is this process's from now on; else whose it is, a process id, -1 for an unknown one."""
        start = offset(find)
        for _ in range(TRIES):
            try:
                fcntl.fcntl(self._fd, fcntl.F_SETLK, LOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, start, 1, 0))
            except OSError:
                told = fcntl.fcntl(self._fd, fcntl.F_GETLK, LOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, start, 1, 0))
                kind, _, _, _, pid = LOCK.unpack(told)
                if kind != fcntl.F_UNLCK:
                    return pid if pid > 0 else -1  # of another name space of processes
            else:
                return 0
        return -1

    def give(self, find: bytes) -> None:
        """Free it; nothing where it is not held."""
        fcntl.fcntl(self._fd, fcntl.F_SETLK, LOCK.pack(fcntl.F_UNLCK, os.SEEK_SET, offset(find), 1, 0))

    def close(self) -> None:
        os.close(self._fd)


def offset(find: bytes) -> int:
    return int.from_bytes(find[:8], "little") >> (64 - OFFSET_BITS)
