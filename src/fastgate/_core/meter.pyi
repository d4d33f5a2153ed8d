from typing import final

from fastgate._core.usage import Usage

BYTES_PER_TOKEN_FLOOR: int

@final
class Meter:
    usage: Usage
    stream: bool
    events: int
    started: bool
    content_started: bool
    stopped: bool
    errored: bool
    output_bytes: int
    model: str
    message_id: str
    stop_reason: str
    error_type: str

    @staticmethod
    def of(*, stream: bool, limit: int = ...) -> Meter:
        """A meter for a stream of events, or for a body that `read_message` gets whole. `limit`: bytes of one event."""

    @property
    def at_boundary(self) -> bool:
        """The stream stands between two events."""

    @property
    def oversize(self) -> bool:
        """An event past the limit was dropped: what it said is not known."""

    def feed_bytes(self, chunk: bytes) -> int:
        """The number of events that this chunk completes."""

    def floor(self) -> Usage:
        """What can be charged: the usage if its end was seen, else at least what the bytes written must have cost."""

    def finish(self) -> None:
        """The stream has ended. An event that the end cuts off is not one (clients do not get it either): dropped."""

    def cut_off(self, size: int) -> None: ...
    def read_message(self, body: bytes) -> None:
        """A whole answer: the message, or an error, as JSON."""

def new_meter(stream: bool) -> Meter:
    """`Meter.of` for the relay, which asks for one with every attempt."""
