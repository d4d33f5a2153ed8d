from typing import final

HEADER_BYTES_MAX: int
PAYLOAD_BYTES_MAX: int

@final
class FrameReader:
    """AWS event-stream frames of a Bedrock stream, as server-sent events."""

    broken: bool
    frames: int

    @staticmethod
    def of() -> FrameReader: ...
    def feed(self, chunk: bytes) -> bytes:
        """The events of the frames that this chunk completes. Nothing once `broken`."""

    @property
    def at_boundary(self) -> bool:
        """The stream stands between two frames."""

@final
class FrameWriter:
    """Server-sent events, as AWS event-stream frames of a Bedrock stream."""

    @staticmethod
    def of() -> FrameWriter: ...
    def feed(self, chunk: bytes) -> bytes:
        """The frames of the events that this chunk completes."""
