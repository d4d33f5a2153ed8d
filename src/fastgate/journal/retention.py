"""Deletes old journal segments, but never one that a consumer still has to read.

Owns the rule. Each consumer's positions are its own affair; it hands them over by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fastgate.journal.format import Position, segment_path, segments_of
from fastgate.journal.reader import JournalReader

EMPTY_EPOCH_AGE_NS = 3600 * 1_000_000_000
"""A folder that never got a segment and has no writer is removed after this: a writer locks it within milliseconds."""

Positions = Mapping[str, Position]
"""Of one consumer, by epoch."""


def retire_segments(journal_dir: Path, consumers: Mapping[str, Positions], older_than_ns: int) -> list[Path]:
    """Delete the segments last written before `older_than_ns` (wall time) that every one of `consumers` has behind it,
    and epochs left empty. A consumer that has not begun an epoch holds all of it. Returns what was deleted.

    ValueError without consumers: a journal that nobody has read is not to be deleted.
    """
    if not consumers:
        raise ValueError("no consumer is named; nothing of the journal may be deleted")
    reader = JournalReader(journal_dir)
    gone: list[Path] = []
    for epoch in reader.epochs():
        is_open = reader.is_open(epoch)
        segments = segments_of(journal_dir, epoch)
        for segment in segments:
            path = segment_path(journal_dir, epoch, segment)
            last = segment == segments[-1]
            if last and is_open:
                continue
            stat = path.stat()
            read = all(_is_past(positions.get(epoch), segment, stat.st_size) for positions in consumers.values())
            if not read or stat.st_mtime_ns >= older_than_ns:
                break  # a later segment is newer still, and a hole would look like damage
            path.unlink()
            gone.append(path)
        if not is_open:
            _remove_if_empty(journal_dir / epoch, bool(segments), older_than_ns)
    return gone


def _is_past(position: Position | None, segment: int, size: int) -> bool:
    """Whether a consumer has read all of a segment. A tail that is not whole keeps its segment: it was never read."""
    if position is None:
        return False
    return position.segment > segment or (position.segment == segment and position.offset >= size)


def _remove_if_empty(folder: Path, had_segments: bool, older_than_ns: int) -> None:
    if not had_segments and folder.stat().st_mtime_ns >= older_than_ns - EMPTY_EPOCH_AGE_NS:
        return
    try:
        folder.rmdir()
    except OSError:
        return  # not empty
