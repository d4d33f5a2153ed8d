"""A recorded stream as the message that it told, and a message as the stream that would have told it.

Faithful or not at all: an event, a delta or a block that cannot be carried over raises FormError, and the question then
goes to the provider. Unknown members are kept. Used only where a client wants the other form than was stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from fastgate._core.sse import Scanner

Json = dict[str, Any]

ARRAY_DELTAS = {"citations_delta": ("citation", "citations")}
"""Deltas that add one item: where in the delta it is, and the block's list that it joins."""

TEXT_DELTAS = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("signature", "signature"),
}
"""Deltas that add text: where in the delta it is, and the block's member that it joins."""

EMPTY_IN_START = ("text", "thinking", "signature")
"""Members of a block that a stream tells by deltas, and begins empty."""

EVENT_BYTES = 8 * 1024 * 1024
"""Largest event that is read: what the meter itself takes."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class FormError(ValueError):
    """The answer cannot be told in the other form."""


def message_of(stream: bytes) -> bytes:
    """The message that a complete stream told, as `stream: false` would have answered."""
    teller = _Message()
    scanner = Scanner.of(EVENT_BYTES)
    for _, data in scanner.feed_bytes(stream):
        teller.take(_object(data))
    if scanner.oversize or not scanner.at_boundary or not teller.complete:
        raise FormError("the stream is not complete")
    return _encode(teller.message)


def _object(data: bytes) -> Json:
    try:
        told = _decode(data)
    except msgspec.DecodeError:
        raise FormError("an event is not JSON") from None
    if not isinstance(told, dict):
        raise FormError("an event is no object")
    return told


class _Message:
    """A message in the making, event by event."""

    def __init__(self) -> None:
        self.message: Json = {}
        self.complete = False
        self._blocks: list[Json] = []
        self._inputs: dict[int, list[str]] = {}

    def take(self, event: Json) -> None:
        takes: dict[str, Callable[[Json], None]] = {
            "message_start": self._start,
            "content_block_start": self._block,
            "content_block_delta": self._delta,
            "content_block_stop": self._stop,
            "message_delta": self._end,
            "message_stop": self._done,
            "ping": lambda _: None,
        }
        take = takes.get(event.get("type", ""))
        if take is None:
            raise FormError(f"an event of a kind that is not known: {event.get('type')!r}")
        try:
            take(event)
        except (KeyError, TypeError, AttributeError, IndexError):
            raise FormError("an event lacks what its kind has") from None

    def _start(self, event: Json) -> None:
        self.message = dict(event["message"])
        self.message["content"] = self._blocks

    def _block(self, event: Json) -> None:
        if event["index"] != len(self._blocks):
            raise FormError("blocks out of order")
        self._blocks.append(dict(event["content_block"]))

    def _delta(self, event: Json) -> None:
        index, delta = event["index"], event["delta"]
        block = self._blocks[index]
        kind = delta["type"]
        if kind in TEXT_DELTAS:
            source, target = TEXT_DELTAS[kind]
            block[target] = block.get(target, "") + delta[source]
        elif kind in ARRAY_DELTAS:
            source, target = ARRAY_DELTAS[kind]
            block[target] = [*(block.get(target) or []), delta[source]]
        elif kind == "input_json_delta":
            self._inputs.setdefault(index, []).append(delta["partial_json"])
        else:
            raise FormError(f"a delta of a kind that is not known: {kind!r}")

    def _stop(self, event: Json) -> None:
        pieces = self._inputs.pop(event["index"], None)
        written = "".join(pieces) if pieces else ""
        if written:
            try:
                _decode(written)
            except msgspec.DecodeError:
                raise FormError("a tool's input is not JSON") from None
            self._blocks[event["index"]]["input"] = msgspec.Raw(written.encode())  # numbers stay as they were written

    def _end(self, event: Json) -> None:
        self.message |= event["delta"]
        usage = event.get("usage")
        if usage:
            self.message["usage"] = {**self.message.get("usage", {}), **usage}
        rest = {name: value for name, value in event.items() if name not in ("type", "delta", "usage")}
        self.message |= rest

    def _done(self, _: Json) -> None:
        self.complete = bool(self.message) and not self._inputs and "stop_reason" in self.message


def stream_of(message: bytes) -> bytes:
    """The stream that would have told this message."""
    told = _object(message)
    content = told.get("content")
    if told.get("type") != "message" or not isinstance(content, list):
        raise FormError("not a message")
    ends = {name: told[name] for name in ("stop_reason", "stop_sequence", "stop_details", "container") if name in told}
    begun: Json = {**told, "content": [], **dict.fromkeys(ends, None)}
    events: list[Json] = [{"type": "message_start", "message": begun}]
    for index, block in enumerate(content):
        events += _block_events(index, block)
    events.append({"type": "message_delta", "delta": ends, "usage": told.get("usage", {})})
    events.append({"type": "message_stop"})
    return b"".join(b"event: %b\ndata: %b\n\n" % (event["type"].encode(), _encode(event)) for event in events)


def _block_events(index: int, block: Any) -> Iterable[Json]:
    """A block's events: it begins empty, and its text and input are told by deltas; any other kind begins whole."""
    if not isinstance(block, dict) or not isinstance(block.get("type"), str):
        raise FormError("a block without a type")
    start, deltas = dict(block), []
    kind = block["type"]
    if kind in ("text", "thinking"):
        for name in EMPTY_IN_START:
            if isinstance(block.get(name), str):
                start[name] = ""
                deltas.append({"type": f"{name}_delta", name: block[name]})
        if block.get("citations"):
            start["citations"] = []
            deltas += [{"type": "citations_delta", "citation": item} for item in block["citations"]]
    elif kind in ("tool_use", "server_tool_use"):
        start["input"] = {}
        deltas.append({"type": "input_json_delta", "partial_json": _encode(block.get("input", {})).decode()})
    yield {"type": "content_block_start", "index": index, "content_block": start}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}
