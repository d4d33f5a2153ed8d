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
    def plain(self, start: int, end: int) -> bytes:
        """The text of those bytes of a string in the body; they end where its characters do."""

def read_blocks(body: bytes, memo: Memo | None, seed: int = 0, seams: bool = False) -> Blocks:
    """The blocks of a request body that read_request has accepted. `memo`: what was judged before; without one every
    block is new. `seed` (52 bits): whose they are; a block that was noted under another is new. `seams`: also give, as
    blocks that do not count, the places where a word may go on from one string into the next one of its kind."""

def read_answer(body: bytes) -> Blocks:
    """The blocks of a whole answer in Anthropic's form, all of them new. ValueError for what is no JSON object."""

def replace(body: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    """The body with each (start, end, bytes) put in place. Edits are in order and do not overlap."""
