from typing import Any, final

@final
class Memo:
    """Which blocks were judged before; see memo.pxd."""

    count: int
    @staticmethod
    def of(secret: bytes, *, slots: int = ..., found_limit: int = ...) -> Memo:
        """An empty memo. `secret`: 1072 random bytes, its key. `slots`: a power of two."""
    def mark_of(self, data: bytes, seed: int = 0) -> bytes:
        """The mark of the bytes, as 16 bytes; from Python, for tests."""
    def note(self, mark: bytes, found: tuple[Any, ...]) -> None:
        """The block with that mark was judged: what was found in it, nothing if it is clean."""
    def get(self, mark: bytes) -> tuple[Any, ...] | None:
        """What was noted, or None for a block that was not judged or is forgotten."""
