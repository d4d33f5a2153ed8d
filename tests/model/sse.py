"""Server-sent events, slowly: the oracle reads a whole stream at once, line by line, as the WHATWG text says it."""

from __future__ import annotations

import re
from dataclasses import dataclass

NAME_ROOM = 64


@dataclass(frozen=True)
class Scan:
    events: list[tuple[bytes, bytes]]
    oversize: bool
    at_boundary: bool


def scan(stream: bytes, limit: int) -> Scan:
    """All events that `stream` completes. Longer lines or data than `limit` drop the event they are in."""
    if stream in (b"\xef", b"\xef\xbb"):
        return Scan([], oversize=False, at_boundary=False)
    body = stream.removeprefix(b"\xef\xbb\xbf")
    *lines, rest = re.split(rb"\r\n|\r|\n", body)
    events: list[tuple[bytes, bytes]] = []
    oversize = dropped = touched = False
    name, data = b"", None
    for line in lines:
        if not line:
            if data is not None and not dropped:
                events.append((name[:NAME_ROOM], data))
            dropped = touched = False
            name, data = b"", None
            continue
        if len(line) > limit:
            oversize = dropped = touched = True
        elif not line.startswith(b":"):
            touched = True
            label, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if label == b"event":
                name = value
            elif label == b"data":
                joined = value if data is None else data + b"\n" + value
                if not dropped and len(joined) > limit:
                    oversize = dropped = True
                data = joined
    if len(rest) > limit:
        oversize = True
    return Scan(events, oversize, not (touched or rest))
