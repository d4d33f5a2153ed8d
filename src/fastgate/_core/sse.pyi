from typing import final

@final
class Scanner:
    oversize: bool

    @staticmethod
    def of(limit: int = ...) -> Scanner: ...
    @property
    def at_boundary(self) -> bool:
        """Nothing of an event has come since the last one ended."""

    def feed_bytes(self, chunk: bytes) -> list[tuple[bytes, bytes]]:
        """The events that this chunk completes, as (name, data)."""
