"""Files that are there whole or not at all, also after a loss of power. Knows nothing of what they hold."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from fastgate.state import PRIVATE_FILE

RANDOM_BYTES = 8
"""In the name of a file that is not finished: two writers of one file never meet."""


def write_whole(path: Path, data: bytes, *, lasting: bool = True) -> None:
    """Make or replace the file at `path`: a reader sees the old one or the new one. Once this returns, a `lasting` one
    outlives a loss of power too; the others are made anew at every start. Raises OSError; then nothing has changed."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(RANDOM_BYTES)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            if lasting:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    if lasting:
        _sync_folder(path.parent)


def clear_unfinished(path: Path) -> None:
    """Remove what a writer of `path` left that was killed meanwhile. For its only writer, when it begins."""
    for left in path.parent.glob(f".{path.name}.{'[0-9a-f]' * 2 * RANDOM_BYTES}"):
        left.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
