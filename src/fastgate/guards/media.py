"""Images and PDFs of a request, for guards that take them. Reads the whole body: only where such a guard is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec


class Medium(NamedTuple):
    """One image or document that came in the request itself. `data` is base64, as it came."""

    path: str
    type: str
    data: str


def media_of(body: bytes) -> list[Medium]:
    """Those of a body that read_request has accepted; what is only referred to (a URL, a file's id) is not here."""
    said = msgspec.json.decode(body)
    found = list(_of_content(said.get("system"), "system"))
    messages = said.get("messages")
    for index, message in enumerate(messages if isinstance(messages, list) else ()):
        if isinstance(message, dict):
            found += _of_content(message.get("content"), f"messages[{index}].content")
    return found


def _of_content(content: Any, path: str) -> Iterator[Medium]:
    if not isinstance(content, list):
        return
    for index, block in enumerate(content):
        if not isinstance(block, dict):
            continue
        place = f"{path}[{index}]"
        source = block.get("source")
        if block.get("type") in ("image", "document") and isinstance(source, dict) and source.get("type") == "base64":
            kind, data = source.get("media_type"), source.get("data")
            if isinstance(kind, str) and isinstance(data, str):
                yield Medium(place, kind, data)
        elif isinstance(source, dict):
            yield from _of_content(source.get("content"), f"{place}.source.content")
        if str(block.get("type")).endswith("tool_result"):
            yield from _of_content(block.get("content"), f"{place}.content")
