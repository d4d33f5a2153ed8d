"""The canonical form of a request, slowly: the tree by tests.model.json_text, pruned and written out by recursion."""

from __future__ import annotations

import re

from tests.model.json_text import Node, read

BILLING = re.compile(rb"x-anthropic-billing-header:(?: [\w.-]+=[\w.-]+;)+", re.ASCII)
NOT_OF_THE_ANSWER = {b"metadata", b"stream", b"model", b"cache_control"}


def canonical(body: bytes) -> bytes:
    top = {name: value for name, value in read(body, depth_limit=64).members if name not in NOT_OF_THE_ANSWER}
    return written({name: top_value(name, value) for name, value in top.items()})


def spoken(body: bytes) -> tuple[bytes, bool]:
    """The last text of the last user message that has one, and whether a message may hold the result of a tool."""
    last, results = b"", False
    messages = dict(read(body, depth_limit=64).members).get(b"messages")
    for item in messages.items if messages is not None and messages.kind == "array" else []:
        members = dict(item.members) if item.kind == "object" else {}
        role, held = members.get(b"role"), members.get(b"content")
        if role is None or held is None:
            continue
        texts = [held.text] if held.kind == "string" else []
        results = results or held.kind not in ("string", "array")
        for block in held.items if held.kind == "array" else []:
            inner = dict(block.members) if block.kind == "object" else {}
            sort = plain(inner.get(b"type"), body)
            results = results or sort in (b"", b"tool_result")
            text = inner.get(b"text")
            if sort == b"text" and text is not None and text.kind == "string":
                texts.append(text.text)
        if texts and plain(role, body) == b"user":
            last = texts[-1]
    return last, results


def plain(node: Node | None, body: bytes) -> bytes:
    """A string that is written without escapes; empty for any other value."""
    return node.text if node is not None and node.kind == "string" and b"\\" not in body[node.start : node.end] else b""


def top_value(name: bytes, value: Node) -> object:
    if name == b"system" and value.kind == "string":
        return text_block(value)
    if value.kind != "array":
        return value
    if name == b"system":
        blocks = [block(item) for item in value.items]
        return blocks[1:] if blocks and is_billing(blocks[0]) else blocks
    if name == b"tools":
        return [without_mark(item) for item in value.items]
    return [message(item) for item in value.items] if name == b"messages" else value


def message(item: Node) -> object:
    if item.kind != "object":
        return item
    made: dict[bytes, object] = {}
    for name, value in item.members:
        if name == b"content" and value.kind == "string":
            made[name] = text_block(value)
        else:
            made[name] = content(name, value)
    return made


def content(name: bytes, value: Node) -> object:
    return [block(item) for item in value.items] if name == b"content" and value.kind == "array" else value


def block(item: Node) -> object:
    """A content block, which may hold further content, itself or in its source."""
    made = without_mark(item)
    if isinstance(made, dict):
        for name, value in item.members:
            if name == b"source" and value.kind == "object":
                made[name] = {inner: content(inner, held) for inner, held in value.members}
            elif name in made:
                made[name] = content(name, value)
    return made


def without_mark(item: Node) -> object:
    if item.kind != "object":
        return item
    return {name: value for name, value in item.members if name != b"cache_control"}


def text_block(value: Node) -> object:
    return [{b"type": Node("string", 0, 0, b"text"), b"text": value}]


def is_billing(made: object) -> bool:
    if not isinstance(made, dict) or set(made) != {b"type", b"text"}:
        return False
    text = made[b"text"]
    return isinstance(text, Node) and text.kind == "string" and BILLING.fullmatch(text.text) is not None


def written(value: object) -> bytes:
    if isinstance(value, dict):
        return b"{" + b"".join(string(name) + written(value[name]) for name in sorted(value)) + b"}"
    if isinstance(value, list):
        return b"[" + b"".join(map(written, value)) + b"]"
    assert isinstance(value, Node)
    match value.kind:
        case "object":
            return written(dict(value.members))
        case "array":
            return written(value.items)
        case "string":
            return string(value.text)
        case "number":
            return value.text + b","
    return value.kind[:1].encode()


def string(text: bytes) -> bytes:
    n, head = len(text), b'"'
    while n >= 128:
        head += bytes([128 | n & 127])
        n >>= 7
    return head + bytes([n]) + text
