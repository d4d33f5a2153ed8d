"""The slow twin of fastgate._core.blocks and block: the blocks of the parsed body, and what hiding does to it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

PRIVATE = {
    "signature", "encrypted_content", "encrypted_index", "cache_control", "tool_use_id", "file_id", "type", "id",
}  # fmt: skip
NOT_TEXT = {"metadata", "thinking", "tool_choice"}


class Number(str):
    """A number as it was written."""

    __slots__ = ()


@dataclass
class Leaf:
    """Text that stands for something in the body: where it is, and whether it is a member's name."""

    path: tuple[Any, ...]
    text: bytes
    is_name: bool = False
    at: int = 0


@dataclass
class Block:
    kind: str
    role: str
    path: str
    leaves: list[Leaf] = field(default_factory=list)
    text: bytes = b""

    def add(self, leaf: Leaf, behind: bytes = b"") -> None:
        leaf.at = len(self.text)
        self.leaves.append(leaf)
        self.text += leaf.text + behind


def load(body: bytes) -> Any:
    return json.loads(body, parse_int=Number, parse_float=Number)


def blocks(body: bytes) -> list[Block]:
    """All blocks of a body, in its order."""
    top = load(body)
    found: list[Block] = []
    for position, (name, value) in enumerate(top.items()):
        if name == "messages" and isinstance(value, list):
            for i, message in enumerate(value):
                if isinstance(message, dict):
                    found += _message(message, ("messages", i), i)
        elif name == "system":
            found += _content(value, ("system",), "system", "system", "system")
        elif name == "tools" and isinstance(value, list):
            for i, tool in enumerate(value):
                found.append(_json(tool, ("tools", i), "tool_schema", "system", f"tools[{i}]", public=True))
        elif isinstance(value, dict) and name not in NOT_TEXT:
            found.append(_json(value, (name,), "system", "system", f"body[{position}]", public=True))
    return found


def _message(message: dict[str, Any], at: tuple[Any, ...], index: int) -> Iterator[Block]:
    role = message.get("role", "")
    role = role if isinstance(role, str) and not isinstance(role, Number) else ""
    kind = {"assistant": "assistant_text", "system": "system"}.get(role, "user_text")
    if "content" in message:
        yield from _content(message["content"], (*at, "content"), kind, role, f"messages[{index}].content")


def _string(value: str, at: tuple[Any, ...], kind: str, role: str, path: str) -> Block:
    block = Block(kind, role, path)
    block.add(Leaf(at, value.encode()))
    return block


def _json(value: Any, at: tuple[Any, ...], kind: str, role: str, path: str, *, public: bool) -> Block:
    block = Block(kind, role, path)
    _leaves(block, value, at, public)
    return block


def _leaves(block: Block, value: Any, at: tuple[Any, ...], public: bool) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            if not (public and name in PRIVATE):
                lines = _plain(inner) and "\n" in inner
                block.add(Leaf((*at, name), name.encode(), is_name=True), b":\n" if lines else b": ")
                _leaves(block, inner, (*at, name), public)
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            _leaves(block, inner, (*at, i), public)
    elif isinstance(value, str):
        block.add(Leaf(at, value.encode()), b"\n")
    else:
        block.text += b"\n"


def _plain(value: Any) -> bool:
    return isinstance(value, str) and not isinstance(value, Number)


def _content(value: Any, at: tuple[Any, ...], kind: str, role: str, path: str) -> Iterator[Block]:
    if _plain(value):
        yield _string(value, at, kind, role, path)
    elif isinstance(value, dict):
        yield _json(value, at, kind, role, path, public=True)
    elif isinstance(value, list):
        inner = ".content" if path.endswith("]") else ""
        for i, block in enumerate(value):
            where = f"{path}{inner}[{i}]"
            if isinstance(block, dict):
                yield from _block(block, (*at, i), kind, role, where)
            elif _plain(block):
                yield _string(block, (*at, i), kind, role, where)


def _block(block: dict[str, Any], at: tuple[Any, ...], kind: str, role: str, path: str) -> Iterator[Block]:
    type_ = block.get("type")
    type_ = type_ if _plain(type_) else ""
    if type_ == "text":
        if _plain(block.get("text")):
            yield _string(block["text"], (*at, "text"), kind, role, path)
        if isinstance(block.get("citations"), list):
            yield _json(block["citations"], (*at, "citations"), kind, role, path, public=True)
    elif type_ in ("thinking", "redacted_thinking"):
        return
    elif "input" in block and type_.endswith("tool_use"):
        yield _json(block["input"], (*at, "input"), "tool_use_input", role, path, public=False)
    elif type_.endswith("tool_result"):
        if "content" in block:
            yield from _content(block["content"], (*at, "content"), "tool_result", role, path)
    elif type_ in ("image", "document"):
        yield from _document(block, at, kind if kind == "tool_result" else "document", role, path)
    elif type_ == "search_result":
        yield _json(block, at, "document", role, path, public=True)
    else:
        yield _json(block, at, kind, role, path, public=True)


def _document(block: dict[str, Any], at: tuple[Any, ...], kind: str, role: str, path: str) -> Iterator[Block]:
    for name in ("title", "context"):
        if _plain(block.get(name)):
            yield _string(block[name], (*at, name), kind, role, path)
    source = block.get("source")
    if not isinstance(source, dict):
        return
    if source.get("type") == "text" and _plain(source.get("data")):
        yield _string(source["data"], (*at, "source", "data"), kind, role, path)
        return
    if "content" in source:
        yield from _content(source["content"], (*at, "source", "content"), kind, role, path)
    if "content" not in source and source.get("type") == "url":
        yield _json(source, (*at, "source"), kind, role, path, public=True)


def hidden(body: bytes, block: Block, start: int, end: int, put_for: Callable[[bytes], str]) -> Any:
    """The parsed body after text[start:end] of the block was replaced, leaf by leaf; whole characters go."""
    top = copy.deepcopy(load(body))
    for leaf in reversed(block.leaves):
        low, high = max(start - leaf.at, 0), min(end - leaf.at, len(leaf.text))
        if low >= high:
            continue
        while low and leaf.text[low] & 0xC0 == 0x80:
            low -= 1
        while high < len(leaf.text) and leaf.text[high] & 0xC0 == 0x80:
            high += 1
        holder = top
        for step in leaf.path[:-1]:
            holder = holder[step]
        last = leaf.path[-1]
        old = last if leaf.is_name else holder[last]
        put = put_for(leaf.text if isinstance(old, Number) else leaf.text[low:high])
        new = put if isinstance(old, Number) else (leaf.text[:low] + put.encode() + leaf.text[high:]).decode()
        if leaf.is_name:
            renamed = {new if name == last else name: value for name, value in holder.items()}
            holder.clear()
            holder.update(renamed)
        else:
            holder[last] = new
    return top
