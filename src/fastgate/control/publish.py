"""Publishes snapshots: one file, replaced whole, then the board's generation, which workers watch.

Knows nothing of what a snapshot says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import msgspec

from fastgate import snapshot
from fastgate.durable import write_whole


class HasGeneration(Protocol):
    """What this needs of the board."""

    generation: int


class _Head(msgspec.Struct):
    generation: int
    version: str


_read_head = msgspec.msgpack.Decoder(_Head).decode


def next_generation(path: Path, board: HasGeneration) -> int:
    """Above every generation that a worker can have seen, also when the file or the board is new or broken."""
    return max(published(path)[0], board.generation) + 1


def published(path: Path) -> tuple[int, str]:
    """Generation and version of the file; (0, "") when there is none that can be read."""
    try:
        head = _read_head(path.read_bytes())
    except (OSError, msgspec.DecodeError):
        return 0, ""
    return head.generation, head.version


def publish(path: Path, data: snapshot.SnapshotData, board: HasGeneration) -> None:
    """Make `data` the published snapshot. The file is whole at every moment and on disk before workers are told."""
    write_whole(path, snapshot.encode(data))
    board.generation = data.generation
