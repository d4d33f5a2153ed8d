"""The one writer of one epoch: one `write()` to the end of the current segment, of a record or of many.

Owns the epoch's folder, its lock (held while the writer lives) and the promise that the file stays readable whatever
the disk does. Knows nothing of what is in a body, nor of consumers.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from pathlib import Path
from typing import Literal

from fastgate._core.segment import TOGETHER_MAX
from fastgate._core.segment import append as _write
from fastgate.journal.format import (
    FRAME_BYTES,
    MAX_BODY_BYTES,
    SEGMENT_BYTES,
    epoch_number,
    new_epoch,
    segment_path,
)

Fsync = Literal["never", "always"]

_EPOCH_DRAWS = 16
"""4096 names a millisecond: sixteen collisions in a row are no accident."""

_most, _frame = MAX_BODY_BYTES, FRAME_BYTES
"""The same in C."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class JournalError(OSError):
    """Records were not journalled, or nobody can say so. Appending them again is right: readers know a call by its
    id."""


class JournalFull(JournalError):  # noqa: N818  # the condition is the name
    """The disk, quota or file size limit is reached. Nothing of the records remains; the next append tries again."""


class JournalBroken(JournalError):  # noqa: N818
    """The disk failed. The records may or may not be there; the next append starts a new segment."""


def framed(body: bytes) -> int:
    """The bytes that a record takes; ValueError when its body is over MAX_BODY_BYTES."""
    size = len(body)
    if size > _most:
        raise ValueError(f"a body of {size} bytes; the journal takes up to {MAX_BODY_BYTES}")
    return _frame + size


def whole(bodies: list[bytes], taken: int) -> tuple[int, int]:
    """How many of the records are whole in the first `taken` bytes of all, and how many bytes those are."""
    count = size = 0
    while count < len(bodies) and size + framed(bodies[count]) <= taken:
        size += framed(bodies[count])
        count += 1
    return count, size


class JournalWriter:
    """Appends to `journal_dir/epoch`, which must not exist (FileExistsError). For one thread."""

    epoch: str
    segment: int
    offset: int
    sequence: int

    def __init__(
        self,
        journal_dir: Path,
        epoch: str,
        *,
        node: int = 0,
        segment_bytes: int = SEGMENT_BYTES,
        fsync: Fsync = "never",
    ) -> None:
        self._epoch = epoch_number(epoch)
        self._node = node
        self._segment_bytes = segment_bytes
        self._always = fsync == "always"
        self.journal_dir = Path(journal_dir)
        self._fd = -1
        self.epoch = epoch
        self.segment = 0
        self.offset = 0
        self.sequence = 0
        self.journal_dir.mkdir(mode=0o700, exist_ok=True)
        folder = self.journal_dir / epoch
        folder.mkdir(mode=0o700)
        # Locked before the first segment exists: an epoch with a segment and without a lock will never grow again.
        self._lock_fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(self._lock_fd, fcntl.LOCK_EX)
        if self._always:
            _sync_folder(self.journal_dir)

    @classmethod
    def create(
        cls, journal_dir: Path, *, node: int = 0, segment_bytes: int = SEGMENT_BYTES, fsync: Fsync = "never"
    ) -> JournalWriter:
        """A writer of a new epoch. Of two lives that began in one millisecond and drew one name the second redraws."""
        for _ in range(_EPOCH_DRAWS):
            with contextlib.suppress(FileExistsError):
                return cls(journal_dir, new_epoch(), node=node, segment_bytes=segment_bytes, fsync=fsync)
        raise JournalBroken(errno.EEXIST, "no new epoch can be made", str(journal_dir))

    def append(self, kind: int, body: bytes) -> tuple[int, int]:
        """Write one record; returns its (segment, offset). Raises as `extend`."""
        self.extend(kind, [body])
        return self.segment, self.offset - framed(body)

    def extend(self, kind: int, bodies: list[bytes]) -> int:
        """Write the first of `bodies`, as many as one segment, one call and the disk take: how many, at least one.
        Raises JournalFull, JournalBroken, or ValueError when a body is over MAX_BODY_BYTES."""
        size = framed(bodies[0])
        if self._fd < 0 or self.offset + size > self._segment_bytes:
            self._open_segment()
        count = 1
        most = min(len(bodies), TOGETHER_MAX)
        while count < most:
            longer = size + framed(bodies[count])
            if self.offset + longer > self._segment_bytes:
                break
            size = longer
            count += 1
        try:
            taken = _write(self._fd, kind, self._node, self._epoch, self.sequence + 1, bodies[:count])
        except OSError as error:
            self._leave(whole(bodies[:count], self._grown())[0])
            raise self._failed(error) from error
        if taken != size:
            count, size = whole(bodies, taken)
            if not count:
                raise self._failed(OSError(errno.ENOSPC, "the file system took only part of a record"))
            if self._always:
                self.sync()  # while the segment is still open
            self._cut(self.offset + size)  # what is whole stays: a reader may have seen it
        self.offset += size
        self.sequence += count
        if self._always:
            self.sync()
        return count

    def sync(self) -> None:
        """Ask the disk for all that was appended. After a failure the kernel may have dropped what it could not write,
        so the segment is not trusted again."""
        if self._fd < 0:
            return
        try:
            os.fdatasync(self._fd)
        except OSError as error:
            self._abandon()
            raise JournalBroken(error.errno, f"journal sync failed: {error.strerror}", self._path) from error

    def close(self) -> None:
        """Close the segment and give up the epoch: from now on readers know that it is whole."""
        self._abandon()
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    @property
    def _path(self) -> str:
        return str(segment_path(self.journal_dir, self.epoch, self.segment))

    def _open_segment(self) -> None:
        """Go on to the next segment. A full disk may still have room in the one that is open: then that one serves."""
        if self._lock_fd < 0:
            raise ValueError("the journal is closed")
        if self._fd >= 0 and self.offset == 0:
            return
        path = segment_path(self.journal_dir, self.epoch, self.segment + 1)
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            if self._fd >= 0:
                return
            kind = JournalFull if error.errno in _FULL else JournalBroken
            raise kind(error.errno, f"no new journal segment: {error.strerror}", str(path)) from error
        self._abandon()
        self._fd, self.offset = fd, 0
        self.segment += 1
        if self._always:
            _sync_folder(path.parent)

    def _grown(self) -> int:
        """By how much the segment is longer than what was appended."""
        try:
            return os.fstat(self._fd).st_size - self.offset
        except OSError:
            return 0

    def _leave(self, count: int) -> None:
        """Give a segment up that may have so many records of a write that failed, if any. A network's file system may
        say so after the file has grown: whether they are there is not known, nor whether a reader has seen them, so
        they are neither taken back nor counted as written."""
        if count:
            self.sequence += count
            self._abandon()

    def _cut(self, size: int) -> bool:
        """Take back what is behind `size`; False, with the segment given up, where that cannot be done."""
        try:
            os.ftruncate(self._fd, size)
        except OSError:
            self._abandon()
            return False
        return True

    def _failed(self, error: OSError) -> JournalError:
        """Take back what a failed write may have left; what happened, to be raised."""
        path = self._path
        full = self._fd >= 0 and self._cut(self.offset) and error.errno in _FULL
        if not full:
            self._abandon()
        kind = JournalFull if full else JournalBroken
        return kind(error.errno, f"journal append failed: {error.strerror}", path)

    def _abandon(self) -> None:
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.close(self._fd)
        self._fd = -1


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
