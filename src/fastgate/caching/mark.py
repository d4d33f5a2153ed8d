"""Who has the shared file open, so that what a power failure left of it is never read.

The file is not flushed write by write: no process that dies harms it, but a machine that does may. Each process leaves
a mark beside it that names the boot of the machine, and takes it away after a last flush. A mark of another boot means
that nobody flushed: the file is thrown away, and answers are bought again.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

FILES = ("data.mdb", "lock.mdb")


class Mark:
    """This process's mark in `directory`, which is made, and cleared of what another boot left."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        boot = BOOT_ID.read_bytes()
        self._path = directory / f"open.{os.getpid()}"
        with (directory / "marks.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            marks = list(directory.glob("open.*"))
            if any(mark.read_bytes() != boot for mark in marks):
                for path in [*marks, *(directory / name for name in FILES)]:
                    path.unlink(missing_ok=True)
            for mark in marks:
                if not Path(f"/proc/{mark.suffix[1:]}").exists():
                    mark.unlink(missing_ok=True)
            self._path.write_bytes(boot)
            flush(self._path)
            flush(directory)

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """On disk before anything is written that it warns of."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
