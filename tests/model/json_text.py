"""JSON, slowly: RFC 8259 by recursive descent, keeping what the standard library throws away (order, duplicates, where
a value stood, bytes that are not UTF-8). The oracle under the models of the meter and of the request reader.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
ESCAPES = {b'"': b'"', b"\\": b"\\", b"/": b"/", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}
SPACE = b" \t\r\n"


class NotJsonError(ValueError):
    """What was read is not JSON, or not as strict as asked."""


@dataclass(frozen=True)
class Node:
    """One value: `kind` is object, array, string, number or the literal itself; [start, end) is where it stood."""

    kind: str
    start: int
    end: int
    text: bytes = b""
    """A string unescaped (surrogates alone as three bytes); a number as written."""
    members: list[tuple[bytes, Node]] = field(default_factory=list)
    items: list[Node] = field(default_factory=list)

    def get(self, name: bytes) -> Node | None:
        """The last member of that name."""
        return next((value for key, value in reversed(self.members) if key == name), None)

    def walk(self) -> Iterator[Node]:
        yield self
        for _, value in self.members:
            yield from value.walk()
        for value in self.items:
            yield from value.walk()


@dataclass
class Reader:
    """`strict`: text must be UTF-8, without surrogates that are no pair, numbers finite as doubles, and no object may
    say a name twice."""

    data: bytes
    depth_limit: int
    strict: bool = False
    at: int = 0
    depth: int = 0
    names: int = 0

    def document(self) -> Node:
        self.space()
        node = self.value()
        self.space()
        if self.at != len(self.data):
            raise NotJsonError("trailing bytes")
        return node

    def space(self) -> None:
        while self.at < len(self.data) and self.data[self.at] in SPACE:
            self.at += 1

    def here(self, token: bytes) -> bool:
        return self.data.startswith(token, self.at)

    def expect(self, token: bytes) -> None:
        if not self.here(token):
            raise NotJsonError(f"expected {token!r} at {self.at}")
        self.at += len(token)

    def value(self) -> Node:
        start = self.at
        if self.here(b"{"):
            return self.object()
        if self.here(b"["):
            return self.array()
        if self.here(b'"'):
            text = self.string()
            return Node("string", start, self.at, text)
        for word in ("true", "false", "null"):
            if self.here(word.encode()):
                self.at += len(word)
                return Node(word, start, self.at)
        number = NUMBER.match(self.data, self.at)
        if number is None:
            raise NotJsonError(f"no value at {start}")
        self.at = number.end()
        if self.strict and math.isinf(float(number.group())):
            raise NotJsonError(f"number out of range at {start}")
        return Node("number", start, self.at, number.group())

    def enter(self) -> None:
        self.at += 1
        self.depth += 1
        if self.depth > self.depth_limit:
            raise NotJsonError("too deep")
        self.space()

    def leave(self) -> None:
        self.at += 1
        self.depth -= 1

    def object(self) -> Node:
        start, members = self.at, []
        self.enter()
        while not self.here(b"}"):
            if members:
                self.expect(b",")
                self.space()
            name = self.string()
            self.space()
            self.expect(b":")
            self.space()
            if self.strict and any(name == other for other, _ in members):
                raise NotJsonError(f"{name!r} twice")
            self.names += 1
            members.append((name, self.value()))
            self.space()
        self.leave()
        return Node("object", start, self.at, members=members)

    def array(self) -> Node:
        start, items = self.at, []
        self.enter()
        while not self.here(b"]"):
            if items:
                self.expect(b",")
                self.space()
            items.append(self.value())
            self.space()
        self.leave()
        return Node("array", start, self.at, items=items)

    def string(self) -> bytes:
        self.expect(b'"')
        out = b""
        while not self.here(b'"'):
            byte = self.data[self.at : self.at + 1]
            if not byte or byte < b" ":
                raise NotJsonError(f"string broken at {self.at}")
            self.at += 1
            if byte != b"\\":
                out += byte
                continue
            letter = self.data[self.at : self.at + 1]
            self.at += 1
            if letter == b"u":
                out += self.unicode()
            elif letter in ESCAPES:
                out += ESCAPES[letter]
            else:
                raise NotJsonError(f"escape broken at {self.at}")
        self.at += 1
        if self.strict:
            try:
                out.decode()
            except UnicodeDecodeError as error:
                raise NotJsonError("not UTF-8") from error
        return out

    def hex4(self) -> int:
        digits = self.data[self.at : self.at + 4]
        if not re.fullmatch(rb"[0-9a-fA-F]{4}", digits):
            raise NotJsonError(f"escape broken at {self.at}")
        self.at += 4
        return int(digits, 16)

    def unicode(self) -> bytes:
        code = self.hex4()
        if 0xD800 <= code < 0xDC00 and self.here(rb"\u"):
            after = self.at
            self.at += 2
            low = self.hex4()
            if 0xDC00 <= low < 0xE000:
                return chr(0x10000 + (code - 0xD800) * 0x400 + low - 0xDC00).encode()
            self.at = after
        return chr(code).encode("utf-8", "surrogatepass")


def read(data: bytes, *, depth_limit: int, strict: bool = False) -> Node:
    return Reader(data, depth_limit, strict).document()
