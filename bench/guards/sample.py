"""A labelled text of a published corpus, and on which side of the line it stands that divides what was read."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Sample(NamedTuple):
    """`family`: injection, indirect, jailbreak, extraction, or benign."""

    source: str
    family: str
    text: str
    key: str
    """What decides on the half: of texts that are put together, the part that a rule could be written from."""

    @property
    def unread(self) -> bool:
        return is_unread(self.key)


def is_unread(text: str) -> bool:
    return zlib.crc32(text.encode()) % 2 == 1


def lines_of(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a file of JSON lines; none of a file that is not there."""
    if path.exists():
        yield from (json.loads(line) for line in path.read_text().splitlines() if line.strip())
