from typing import final

@final
class Packer:
    """One message at a time: `begin` begins it, `taken` ends it. For one thread."""

    def begin(self, fields: int) -> int:
        """A new message, an array of so many fields; whatever was written before is forgotten."""

    def array(self, count: int) -> int:
        """The items are written next."""

    def text(self, value: str) -> int:
        """UnicodeEncodeError for a lone surrogate."""

    def number(self, value: int) -> int:
        """OverflowError beyond 64 bits."""

    def flag(self, value: bool) -> int: ...
    def value(self, value: object) -> int:
        """Anything that msgspec takes; containers must not hold themselves."""

    def packed(self, value: object) -> int:
        """What is MessagePack already, as bytes or msgspec.Raw."""

    def taken(self) -> bytes:
        """The message."""
