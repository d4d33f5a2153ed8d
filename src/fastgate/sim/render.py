"""One simulated answer as bytes: the SSE events of a stream, or the JSON of a whole message.

Event order, field names and shapes are Anthropic's. Faults are put in elsewhere (faults.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import chain
from typing import Any

import msgspec

from fastgate.sim.behaviour import Behaviour
from fastgate.sim.conversation import Conversation, signature
from fastgate.sim.scenario import DELTA_CHARS, Block, Reply, Text, Thinking, ToolUse
from fastgate.sim.usage import Usage, at_the_end, extras, on_the_wire, predict

INPUT_DELTA_CHARS = 24

Delta = tuple[str, str, str]
"""Delta type, the name of its one field, the field's text."""

encode = msgspec.json.Encoder().encode


class Event(msgspec.Struct, frozen=True):
    """One SSE event and how many bytes of model output the stream has carried once it is out."""

    data: bytes
    output_bytes: int = 0


def sse(kind: str, fields: dict[str, Any]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), encode({"type": kind, **fields}))


class Answer:
    """A reply with its ids, model and usage: ready to be written in either form."""

    def __init__(self, conversation: Conversation, behaviour: Behaviour, reply: Reply, number: str) -> None:
        self.behaviour = behaviour
        self.conversation = conversation
        self.id = f"msg_sim{number}"
        self.model = behaviour.reply_model or conversation.request.model
        huge = [Text("x" * behaviour.huge_bytes, delta_chars=behaviour.huge_bytes)] if behaviour.huge_bytes else []
        self.blocks: list[Block] = [*huge, *reply.blocks]
        self.tool_ids = [f"toolu_sim{number}x{index}" for index in range(len(self.blocks))]
        self.output_bytes = sum(map(_output_bytes, self.blocks))
        self.usage: Usage = predict(
            len(conversation.body),
            conversation.assistant_turns,
            conversation.cache_ttl,
            self.output_bytes,
            behaviour.usage,
        )
        self.stop_reason = behaviour.stop_reason or reply.stop_reason

    def whole(self) -> bytes:
        """The answer to `stream: false`."""
        message = self._message(self._content(), self._stated(self.usage.output_tokens) | extras(self.usage))
        message["stop_reason"] = self.stop_reason
        message.update(self._verdicts())
        raw = self.behaviour.usage_raw
        if self.behaviour.usage_form == "missing":
            del message["usage"]
        elif raw:
            message["usage"] = msgspec.Raw(raw.encode())
        return encode(message)

    def events(self) -> Iterator[Event]:
        """The answer to `stream: true`, event by event."""
        yield Event(self._message_start())
        for _ in range(self.behaviour.pings + 1):
            yield Event(sse("ping", {}))
        sent = 0
        for index, block in enumerate(self.blocks):
            opening, deltas = self._parts(index, block)
            yield Event(sse("content_block_start", {"index": index, "content_block": opening}), sent)
            for kind, field, piece in deltas:
                sent += 0 if kind == "signature_delta" else _size(piece)
                yield Event(_delta(index, kind, field, piece), sent)
            yield Event(sse("content_block_stop", {"index": index}), sent)
        for data in self._message_deltas():
            yield Event(data, sent)
        yield Event(sse("message_stop", {}), sent)

    def _message(self, content: list[dict[str, Any]], usage: dict[str, Any]) -> dict[str, Any]:
        return {
            "model": self.model,
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "content": content,
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage,
        }

    def _stated(self, output_tokens: int) -> dict[str, Any]:
        b = self.behaviour
        return on_the_wire(
            self.usage, output_tokens=output_tokens, speed=b.speed, geo=b.inference_geo, tier=b.service_tier
        )

    def _message_start(self) -> bytes:
        usage = self._stated(1)
        if self.behaviour.usage_form == "decreasing":
            usage["output_tokens"] = self.usage.output_tokens * 2
        message = self._message([], usage)
        if self.behaviour.usage_form in ("missing", "delta-only"):
            del message["usage"]
        return sse("message_start", {"message": message})

    def _message_deltas(self) -> Iterator[bytes]:
        form, final = self.behaviour.usage_form, at_the_end(self.usage)
        delta: dict[str, Any] = {"stop_reason": self.stop_reason, "stop_sequence": None, **self._verdicts()}
        half = sse("message_delta", {"delta": {}, "usage": final | {"output_tokens": final["output_tokens"] // 2}})
        if form == "twice":
            yield half
        fields: dict[str, Any] = {"delta": delta}
        if self.behaviour.usage_raw:
            fields["usage"] = msgspec.Raw(self.behaviour.usage_raw.encode())
        elif form not in ("missing", "start-only"):
            fields["usage"] = final
        if self.conversation.request.context_management:
            fields["context_management"] = {"applied_edits": []}
        yield sse("message_delta", fields)
        if form == "falling":
            yield half

    def _verdicts(self) -> dict[str, Any]:
        """Auto mode's safeguard results: a test double of the provider's classifier that flags nothing."""
        asked = {safeguard.get("type") for safeguard in self.conversation.request.safeguards}
        if "dangerous_tool_use" not in asked or not self.behaviour.safeguards:
            return {}
        verdicts = {
            self.tool_ids[index]: {"type": "evaluated", "outcome": "not_flagged"}
            for index, block in enumerate(self.blocks)
            if isinstance(block, ToolUse)
        }
        status = {"type": "available", "tool_uses": verdicts}
        return {"safeguard_results": [{"type": "dangerous_tool_use", "status": status}]}

    def _content(self) -> list[dict[str, Any]]:
        content = []
        for index, block in enumerate(self.blocks):
            opening, _ = self._parts(index, block)
            match block:
                case Text():
                    opening["text"] = block.text
                case Thinking():
                    opening |= {"thinking": block.thinking, "signature": signature(block.thinking)}
                case ToolUse():
                    opening["input"] = block.input
            content.append(opening)
        return content

    def _parts(self, index: int, block: Block) -> tuple[dict[str, Any], Iterator[Delta]]:
        """A block as its opening and its deltas. A signature is a delta too, the only one that is not output."""
        match block:
            case Text():
                return {"type": "text", "text": ""}, _cut(block.text, "text_delta", "text", block.delta_chars)
            case Thinking():
                deltas = _cut(block.thinking, "thinking_delta", "thinking", DELTA_CHARS)
                sign: Delta = ("signature_delta", "signature", signature(block.thinking))
                return {"type": "thinking", "thinking": "", "signature": ""}, chain(deltas, [sign])
            case ToolUse():
                opening = {"type": "tool_use", "id": self.tool_ids[index], "name": block.name, "input": {}}
                text = encode(block.input).decode()
                return opening, _cut(text, "input_json_delta", "partial_json", INPUT_DELTA_CHARS)


def _cut(text: str, kind: str, field: str, size: int) -> Iterator[Delta]:
    for at in range(0, len(text), size):
        yield kind, field, text[at : at + size]


@lru_cache(maxsize=256)
def _delta(index: int, kind: str, field: str, piece: str) -> bytes:
    """A filler text repeats a few pieces, so a stream of 50 MB encodes a few events."""
    return sse("content_block_delta", {"index": index, "delta": {"type": kind, field: piece}})


def _output_bytes(block: Block) -> int:
    match block:
        case Text():
            return _size(block.text)
        case Thinking():
            return _size(block.thinking)
        case ToolUse():
            return len(encode(block.input))


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
