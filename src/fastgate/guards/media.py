"""Images and PDFs of a request, for guards that take them. Reads the whole body: only where such a guard is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec


class Medium(NamedTuple):
    """One image or document. `data` is base64, as it came; `type` and `data` are empty where the request holds none,
    only where it is (a URL, a file's id): then nobody here can be given it."""

    path: str
    type: str
    data: str


def media_of(body: bytes) -> list[Medium]:
    """Those of a body that read_request has accepted: exactly the ones that fastgate._core.blocks counts as media."""
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
        if block.get("type") in ("image", "document"):
            yield from _of_source(block.get("source"), place)
        if str(block.get("type")).endswith("tool_result"):
            yield from _of_content(block.get("content"), f"{place}.content")


def _of_source(source: Any, path: str) -> Iterator[Medium]:
    said = source if isinstance(source, dict) else {}
    form, content = said.get("type"), said.get("content")
    if form == "text" and isinstance(said.get("data"), str):
        return
    yield from _of_content(content, f"{path}.source.content")
    if form == "base64" or "content" not in said:
        kind, data = said.get("media_type"), said.get("data")
        if form == "base64" and isinstance(kind, str) and isinstance(data, str):
            yield Medium(path, kind, data)
        else:
            yield Medium(path, "", "")
