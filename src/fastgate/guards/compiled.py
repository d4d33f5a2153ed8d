"""Compiled patterns on disk: seconds to make, milliseconds to load. Knows nothing of what a file holds."""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path

from fastgate.durable import write_whole

UNUSED_S = 30 * 24 * 3600
"""What no start and no reload has loaded for so long goes: a configuration may come back after some weeks, and all the
rules there are take 10 MB for each that was ever in force."""

log = logging.getLogger("fastgate.guards")


def load(path: Path) -> bytes:
    """Raises OSError, if only because nobody kept it."""
    made = path.read_bytes()
    with contextlib.suppress(OSError):  # another user's, or a file system that is read only
        os.utime(path)
    return made


def keep(path: Path, made: bytes) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, made, lasting=False)
    except OSError as exc:
        log.warning("the compiled guard patterns cannot be kept (%s); every start compiles them again", exc)


def clear_unused(folder: Path, now_s: float) -> None:
    """Removes what has not been loaded for long, and what a killed writer left. Never raises."""
    with contextlib.suppress(OSError):
        for path in list(folder.iterdir()):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < now_s - UNUSED_S:
                    path.unlink()
