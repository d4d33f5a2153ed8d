from typing import final

@final
class Peeled:
    """A text with one layer of escapes and seams taken off."""

    text: bytes
    def place(self, start: int, end: int) -> tuple[int, int]:
        """Where text[start:end] stands in the text that was peeled; an escape is taken whole, and so is
        a seam within it."""

def peel(text: bytes) -> Peeled | None:
    r"""The text with escapes (`\n`, `\u0041`, `\x41`, `%41`, `&#65;`) replaced by what they stand for, and without what
    parts a word that may be a key: a line's end, two strings that are put together, a zero width. None if it has
    neither. A NUL stands for what is more than 512 bytes away from any."""

def unnumbered(text: bytes) -> bytes:
    """The text without the blanks, number and tab or arrow that Claude Code's Read puts before each line."""
