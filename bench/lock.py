"""One benchmark at a time on a machine: a second one would measure the first."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class BusyError(RuntimeError):
    """Another benchmark of this user is running."""


@contextmanager
def only_one() -> Iterator[None]:
    """Holds the lock for the block. The kernel lets go of it however the process ends."""
    path = Path(tempfile.gettempdir()) / f"fastgate-bench-{os.getuid()}.lock"
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise BusyError(f"a benchmark is already running (process {file.read().strip() or 'unknown'})") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
