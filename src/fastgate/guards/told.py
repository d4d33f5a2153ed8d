"""Events of a streamed answer as guards read and write them: read where clients would read them, written as Anthropic
writes them. Knows no rule.
"""

from __future__ import annotations

import json
from typing import Any

from fastgate._core.restore import events, with_text


def last_events(rest: bytes) -> list[tuple[bytes, str, int, bytes]]:
    """Those where only the blank line is missing. An event that is cut is none: clients drop it."""
    return events(rest + b"\n")[0] if rest else []


def on_one_line(raw: bytes) -> bytes:
    """An event whose data may stand on several lines, which clients put together."""
    lines = raw.splitlines()
    data = b" ".join([line[5:] for line in lines if line.startswith(b"data:")])
    return b"\n".join([*[line for line in lines if line and not line.startswith(b"data:")], b"data:" + data, b"", b""])


def told_at_once(raw: bytes, what: str, index: int, text: bytes) -> tuple[bytes, str, int, bytes]:
    """An event as `events` tells it, read again where its data stand on several lines."""
    if what == "other" and index < 0 and raw.count(b"data:") > 1:
        ((raw, what, index, text),) = events(on_one_line(raw))[0]
    return raw, what, index, text


def data_of(raw: bytes) -> bytes:
    """What an event tells; empty for a comment."""
    return raw.partition(b"data:")[2].strip()


def is_unreadable(raw: bytes, what: str, index: int) -> bool:
    """Whether an event has data that tell nothing: a client may read something in them that no guard has."""
    data = data_of(raw) if what == "other" and index < 0 else b""
    return bool(data) and not said_of(data)


def said_of(block: bytes) -> dict[str, Any]:
    """A content block as its start tells it; empty for what is none."""
    try:
        said = json.loads(block)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def begun_with_text(index: int, said: dict[str, Any]) -> tuple[bytes, bytes, bytes] | None:
    """A text block whose start has text already: the start without it, a delta with it, and that text. None for any
    other block."""
    if said.get("type") != "text" or not isinstance(text := said.get("text"), str) or not text:
        return None
    first = text.encode("utf-8", "surrogatepass")
    start = event("content_block_start", {"index": index, "content_block": said | {"text": ""}})
    return start, delta_event(index, "text_delta", "text", first), first


def event(kind: str, data: dict[str, object]) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind} | data)}\n\n".encode()


def delta_event(index: int, kind: str, member: str, text: bytes) -> bytes:
    """A delta with that text, which may hold halves of characters."""
    return with_text(event("content_block_delta", {"index": index, "delta": {"type": kind, member: ""}}), text)


def stop_event(template: bytes) -> bytes:
    """The end of the block that the delta belongs to."""
    return event("content_block_stop", {"index": events(template)[0][0][2]})


def text_block(index: int, text: str) -> bytes:
    start = event("content_block_start", {"index": index, "content_block": {"type": "text", "text": ""}})
    text_delta = delta_event(index, "text_delta", "text", text.encode())
    return start + text_delta + event("content_block_stop", {"index": index})
