"""The blocks of a prompt in the order of a provider's cache, slowly: over the tree of tests.model.json_text.

The prints are those of `_core/print.h`, written again from its description.
"""

from __future__ import annotations

from typing import NamedTuple

from tests.model.json_text import Node, Reader

WORD = 2**64 - 1
A, B, C, D = 0x6A09E667F3BCC909, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1
KINDS = ("text", "tool_use", "tool_result", "image", "document", "thinking", "other")
LEAST_BYTES = 4096
BLOCKS_MAX = 4096


class Block(NamedTuple):
    whole: int
    start: int
    area: int
    kind: str
    marked: bool
    hour: bool
    first: bool


def fold(a: int, b: int) -> int:
    product = a * b
    return product & WORD ^ product >> 64


def print_of(data: bytes, seed: int) -> int:
    """Whole steps of 64 bytes go to four lanes, which become two; the rest, filled up with zeros, to those."""
    one, other, third, fourth = seed ^ A, len(data) ^ B, C, D
    whole = len(data) // 64 * 64
    for at in range(0, whole, 64):
        words = words_of(data[at : at + 64])
        one, other = fold(words[0] ^ C, words[1] ^ one), fold(words[2] ^ D, words[3] ^ other)
        third, fourth = fold(words[4] ^ A, words[5] ^ third), fold(words[6] ^ B, words[7] ^ fourth)
    if whole:
        one, other = fold(one ^ A, third ^ B), fold(other ^ C, fourth ^ D)
    for at in range(whole, len(data), 32):
        words = words_of(data[at : at + 32].ljust(32, b"\0"))
        one, other = fold(words[0] ^ C, words[1] ^ one), fold(words[2] ^ D, words[3] ^ other)
    return fold(one ^ D, other ^ A)


def words_of(data: bytes) -> list[int]:
    return [int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data), 8)]


def name_of(body: bytes, node: Node, index: int) -> bytes:
    """The name of a member as it was written, without its quotes."""
    before = node.members[index - 1][1].end if index else node.start + 1
    spelled = body[before : node.members[index][1].start]
    return spelled[spelled.index(b'"') + 1 : spelled.rindex(b'"')]


def members(body: bytes, node: Node) -> list[tuple[bytes, bytes]]:
    """All but `cache_control`, as written."""
    return [
        (name_of(body, node, index), body[value.start : value.end])
        for index, (key, value) in enumerate(node.members)
        if key != b"cache_control"
    ]


def print_of_members(pairs: list[tuple[bytes, bytes]]) -> int:
    return sum(print_of(value, print_of(name, 0)) for name, value in pairs) & WORD


def mark_of(node: Node) -> tuple[bool, bool]:
    control = node.get(b"cache_control")
    if control is None or control.kind != "object":
        return False, False
    ttl = control.get(b"ttl")
    return True, ttl is not None and ttl.kind == "string" and ttl.text == b"1h"


def without_mark(body: bytes, node: Node) -> bytes:
    """The block's bytes, its `cache_control` cut out with the comma before it, or after where it is the first."""
    names = [key for key, _ in node.members]
    if b"cache_control" not in names or not mark_of(node)[0]:
        return body[node.start : node.end]
    at = names.index(b"cache_control")
    value = node.members[at][1]
    if at:
        start, end = node.members[at - 1][1].end, value.end
    else:
        start, end = node.start + 1, value.end
        if len(names) > 1:
            end = body.index(b'"', value.end)
    return body[node.start : start] + body[end : node.end]


def string_block(body: bytes, node: Node) -> int:
    return print_of_members([(b"type", b'"text"'), (b"text", body[node.start : node.end])])


def whole_block(body: bytes, node: Node, *, by_members: bool) -> int:
    if node.kind != "object":
        return print_of(body[node.start : node.end], 1)
    return print_of_members(members(body, node)) if by_members else print_of(without_mark(body, node), 1)


def listed(body: bytes, node: Node | None, area: int) -> list[Block]:
    kind = "text" if area else "other"
    if node is None:
        return []
    if node.kind == "string":
        return [Block(string_block(body, node), node.start, area, "text", False, False, False)]
    return [
        Block(whole_block(body, item, by_members=True), item.start, area, kind, *mark_of(item), False)
        for item in node.items
    ]


def kind_of(block: Node) -> str:
    type_ = block.get(b"type")
    said = type_.text.decode("utf-8", "replace") if type_ is not None and type_.kind == "string" else ""
    said = "thinking" if said == "redacted_thinking" else said
    return said if said in KINDS[:-1] else "other"


def spoken(body: bytes, messages: Node | None) -> list[Block]:
    told = []
    for message in messages.items if messages is not None else []:
        content = message.get(b"content") if message.kind == "object" else None
        if content is None:
            continue
        if content.kind == "string":
            told.append(Block(string_block(body, content), content.start, 2, "text", False, False, True))
        first = True
        for item in content.items if content.kind == "array" else []:
            if item.kind == "object":
                kind = kind_of(item)
                whole = whole_block(body, item, by_members=kind == "text")
                told.append(Block(whole, item.start, 2, kind, *mark_of(item), first))
                first = False
    return told


def read_prefix(body: bytes) -> list[Block]:
    if len(body) < LEAST_BYTES:
        return []
    node = Reader(body, 64, strict=True).document()
    conversation = spoken(body, node.get(b"messages"))
    if not conversation:
        return []
    tools, system = node.get(b"tools"), node.get(b"system")
    return listed(body, tools, 0) + listed(body, system, 1) + conversation


def laid_out(blocks: list[Block]) -> bytes:
    """As the compiled reader gives them."""
    prints = b"".join(((b.whole ^ b.whole >> 32) & 0xFFFFFFFF).to_bytes(4, "little") for b in blocks)
    starts = b"".join(b.start.to_bytes(4, "little") for b in blocks)
    flags = bytes(b.area | KINDS.index(b.kind) << 2 | b.marked << 5 | b.hour << 6 | b.first << 7 for b in blocks)
    return prints + starts + flags
