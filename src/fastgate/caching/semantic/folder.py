"""The folder that saved graphs lie in: what its files are called, and who changes them. Knows no graph, so whoever
forgets what they hold needs nothing that reads them."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

GRAPHS = "graphs"
"""The folder, beside the log's file or where that would be."""

MANIFEST = "manifest"


@contextmanager
def alone(folder: Path) -> Iterator[int]:
    """One process, and one thread of it, at a time writes and clears away what others wrote. The open folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def clear(folder: Path) -> None:
    """Leave nothing in it, also after a loss of power. The manifest goes last: while one is left, so much is seen to be
    missing, and this is done again. Raises OSError."""
    if not folder.exists():
        return
    with alone(folder) as descriptor:
        for path in sorted(folder.iterdir(), key=lambda path: path.name == MANIFEST):
            path.unlink(missing_ok=True)
        os.fsync(descriptor)
