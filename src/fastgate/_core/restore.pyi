from typing import final

PREFIX: bytes
SIZE: int

@final
class Restorer:
    """Turns the placeholders of one call back; see restore.pxd."""

    restored: int
    """Placeholders turned back so far."""
    @property
    def terms(self) -> None:
        """It puts back one call's own secrets."""
    @staticmethod
    def of(secrets: dict[bytes, bytes]) -> Restorer:
        """`secrets`: what each placeholder (SIZE bytes) stands for, UTF-8."""
    def feed(self, chunk: bytes) -> bytes:
        """What of the stream can be passed on now."""
    def finish(self) -> bytes:
        """What was kept when the stream ended."""
    def whole(self, body: bytes) -> bytes:
        """The same for an answer that is one JSON message; what is none comes back as it is."""

def events(chunk: bytes) -> tuple[list[tuple[bytes, str, int, bytes]], bytes]:
    """The complete events of some bytes, and the rest. Each event: its bytes; text, json, start, stop, ping or other;
    its block's index, -1 for none; the text that a delta adds, or the block that begins, as JSON."""

def with_text(event: bytes, text: bytes) -> bytes:
    """The delta event with another text."""
