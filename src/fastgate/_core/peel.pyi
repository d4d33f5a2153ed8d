from typing import final

@final
class Peeled:
    """A text with one layer of JSON escapes taken off."""

    text: bytes
    def place(self, start: int, end: int) -> tuple[int, int]:
        """Where text[start:end] stands in the text that was peeled; an escape is taken whole."""

def peel(text: bytes) -> Peeled | None:
    r"""The text with escapes of JSON strings (`\n`, `\"`, `\u0041` …) replaced by what they stand for; None if it has
    none. What is no escape stays as it is; a NUL stands for what is more than 512 bytes away from any."""
