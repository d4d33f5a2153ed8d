from typing import final

from fastgate._core.block import Block
from fastgate._core.memo import Memo

@final
class Blocks:
    """The blocks of one body; made by read_blocks."""

    noted: list[Block]
    """New blocks, and those in which something was found before, in the order of the body."""
    count: int
    """All blocks."""
    media: int
    """Images, PDFs and the like, which no text rule can read."""
    def use_of(self, block: Block) -> tuple[str, bytes] | None:
        """The tool whose result the block is, and the JSON it was given."""

def read_blocks(body: bytes, memo: Memo, *, checked: bool = True, seed: int = 0) -> Blocks:
    """The blocks of a body. `checked`: read_request has accepted it; ValueError else for what is no JSON object.
    `seed` (52 bits): whose they are; a block that was noted under another is new."""

def replace(body: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    """The body with each (start, end, bytes) put in place. Edits are in order and do not overlap."""
