"""What one response said, slowly: the whole stream at once, every event parsed."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.model.json_text import Node, NotJsonError, read
from tests.model.sse import scan
from tests.model.usage import Usage

# An event's own object and 256 levels below it.
DEPTH_LIMIT = 257
WORD_LIMIT = 512
KNOWN = {
    b"message_start",
    b"content_block_start",
    b"content_block_delta",
    b"content_block_stop",
    b"message_delta",
    b"message_stop",
    b"ping",
    b"error",
}
WRITTEN = {b"text", b"thinking", b"partial_json", b"content"}


@dataclass
class Meter:
    usage: Usage = field(default_factory=Usage)
    events: int = 0
    started: bool = False
    content_started: bool = False
    stopped: bool = False
    errored: bool = False
    output_bytes: int = 0
    model: str = ""
    message_id: str = ""
    stop_reason: str = ""
    error_type: str = ""
    oversize: bool = False
    at_boundary: bool = True

    def shown(self) -> dict[str, object]:
        """The fields under the compiled Meter's names, usage included."""
        return {**vars(self), "usage": self.usage.shown()}

    def floor_output(self) -> int:
        stated = self.usage.shown()["output_tokens"]
        return stated if self.usage.final else max(stated, -(-self.output_bytes // 2))

    def event(self, name: bytes, data: bytes) -> None:
        self.events += 1
        try:
            node = read(data, depth_limit=DEPTH_LIMIT)
        except NotJsonError:
            node = None
        if node is not None and node.kind != "object":
            node = None
        kind = name
        if name not in KNOWN:
            said = node.get(b"type") if node else None
            kind = said.text if said and said.kind == "string" else b""
        self.content_started |= kind.startswith(b"content_block_") and kind in KNOWN
        self.started |= kind == b"message_start"
        self.stopped |= kind == b"message_stop"
        self.errored |= kind == b"error"
        if node is None:
            self.usage.malformed |= kind in (b"message_start", b"message_delta")
            return
        if kind == b"message_start":
            self.message(node.get(b"message"), whole=False)
        elif kind == b"message_delta":
            self.usage.merge(node.get(b"usage"), final=True)
            self.stop_reason = word(node.get(b"delta"), b"stop_reason", self.stop_reason)
        elif kind == b"error":
            self.error_type = word(node.get(b"error"), b"type", self.error_type)
        elif kind == b"content_block_start":
            self.block(node.get(b"content_block"))
        elif kind == b"content_block_delta":
            self.block(node.get(b"delta"))

    def message(self, node: Node | None, *, whole: bool) -> None:
        if node is None:
            return
        for name, value in node.members:
            if name == b"usage":
                self.usage.merge(value, final=whole)
            if name == b"content" and whole:
                for block in value.items:
                    self.block(block)
                    self.output_bytes += sum(v.end - v.start for key, v in block.members if key == b"input")
        self.model = word(node, b"model", self.model)
        self.message_id = word(node, b"id", self.message_id)
        self.stop_reason = word(node, b"stop_reason", self.stop_reason)

    def block(self, node: Node | None) -> None:
        for name, value in node.members if node else []:
            if name in WRITTEN and value.kind == "string":
                self.output_bytes += len(value.text)


def word(node: Node | None, name: bytes, other: str) -> str:
    """The last usable string of that name in an object."""
    for key, value in node.members if node else []:
        if key == name and value.kind == "string" and 0 < len(value.text) <= WORD_LIMIT:
            other = value.text.decode("utf-8", "replace")
    return other


def read_stream(stream: bytes, limit: int = 1 << 26) -> Meter:
    meter = Meter()
    found = scan(stream, limit)
    for name, data in found.events:
        meter.event(name, data)
    meter.oversize, meter.at_boundary = found.oversize, found.at_boundary
    return meter


def read_body(body: bytes) -> Meter:
    meter = Meter(at_boundary=False)
    try:
        node = read(body, depth_limit=DEPTH_LIMIT)
    except NotJsonError:
        node = None
    if node is None or node.kind != "object":
        meter.usage.malformed = True
        return meter
    said = node.get(b"type")
    kind = said.text if said and said.kind == "string" else b""
    if kind == b"message" or node.get(b"usage"):
        meter.started = meter.stopped = True
        meter.message(node, whole=True)
    elif kind == b"error" or node.get(b"error"):
        meter.errored = True
        meter.error_type = word(node.get(b"error"), b"type", "")
    return meter
