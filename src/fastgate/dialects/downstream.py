"""The server's side of a call in a dialect: what the rooms answer in Anthropic's form goes out in the client's.

Stands in for the server's own protocol object, so that no room knows of dialects: errors get the dialect's envelope,
a stream to a Bedrock client becomes event-stream frames (comments, which are no events, are not sent).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastgate._core.frames import FrameWriter
from fastgate.envelopes import to_aws, to_google

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastgate.call import Downstream, Front

EVENT_STREAM = "application/vnd.amazon.eventstream"

Lines = list[tuple[str, str]]


def retyped(headers: Lines, content_type: str) -> Lines:
    return [(name, value) for name, value in headers if name != "content-type"] + [("content-type", content_type)]


def is_stream(headers: Lines) -> bool:
    return any(name == "content-type" and value.startswith("text/event-stream") for name, value in headers)


class DialectSide:
    """Downstream (fastgate.call) in a dialect."""

    def __init__(self, proto: Downstream, front: Front) -> None:
        self.proto = proto
        self.dialect = front.dialect
        self.counts = front.route == "count_tokens"

    def __call__(self) -> Any:
        return self.proto()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self.proto.__aiter__()

    def client_disconnect(self) -> Any:
        return self.proto.client_disconnect()

    def response_empty(self, status: int, headers: Lines) -> None:
        self.proto.response_empty(status, headers)

    def response_bytes(self, status: int, headers: Lines, body: bytes) -> None:
        if status >= 400:
            headers, body = self.error(status, headers, body)
        elif self.dialect == "bedrock":
            if is_stream(headers):
                headers, body = retyped(headers, EVENT_STREAM), FrameWriter.of().feed(body)
            elif self.counts:
                body = body.replace(b'"input_tokens"', b'"inputTokens"', 1)
        self.proto.response_bytes(status, headers, body)

    def error(self, status: int, headers: Lines, body: bytes) -> tuple[Lines, bytes]:
        if self.dialect == "vertex":
            return headers, to_google(status, body)
        code, body = to_aws(status, body)
        return [*headers, ("x-amzn-errortype", code)], body

    def response_stream(self, status: int, headers: Lines) -> Any:
        if self.dialect == "vertex":
            return self.proto.response_stream(status, headers)
        return FrameTransport(self.proto.response_stream(status, retyped(headers, EVENT_STREAM)))


class FrameTransport:
    """The server's transport of a stream, for a client that wants frames. `send_bytes` tells how much went out."""

    __slots__ = ("transport", "writer")

    def __init__(self, transport: Any) -> None:
        self.transport = transport
        self.writer = FrameWriter.of()

    def send_bytes(self, events: bytes) -> int:
        frames = self.writer.feed(events)
        if frames:
            self.transport.send_bytes(frames)
        return len(frames)
