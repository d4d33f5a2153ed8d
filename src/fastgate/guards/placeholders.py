"""What stands in a request for a secret, and which pieces of a finding it replaces.

A placeholder depends on the secret and the tenant alone, under a key that stays in the state directory: the same text
is always hidden alike (the provider's prompt cache stays warm), two tenants never share one, and nobody who sees one
can test a guess. All have one length and no byte that any escaping would change, so that they are found in an answer
however it is written.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator

PREFIX = b"redacted_fg_"
"""Tells the model what it sees; no code or prose has it by chance."""
TAIL_CHARS = 20
"""100 bits in base32: no two secrets of an organisation meet."""
SIZE = len(PREFIX) + TAIL_CHARS

OWN = re.compile(re.escape(PREFIX) + rb"[a-z2-7]{%d}" % TAIL_CHARS)
"""One of them."""

HASH_CHARS = 16
"""What records show of a match: 80 bits of the same tail, enough to tell matches apart and to name in an exception."""

_LINE = re.compile(rb"[^\r\n]+")
_GUTTER = re.compile(rb"[ \t]*(?:[0-9]{1,7}(?:\xe2\x86\x92|\t))?[ \t]*")
"""Indentation, and the line numbers with an arrow or a tab that Claude Code's Read puts before each line."""


class Placeholders:
    """Makes them. `pepper`: the state directory's."""

    __slots__ = ("_key",)

    def __init__(self, pepper: bytes) -> None:
        self._key = hashlib.blake2b(pepper, person=b"fastgate-guards", digest_size=32).digest()

    def tail(self, org: str, secret: bytes) -> str:
        """The part that tells secrets apart."""
        tenant = hashlib.blake2b(org.encode(), digest_size=16).digest()
        digest = hashlib.blake2b(secret, key=self._key, salt=tenant, digest_size=13).digest()
        return base64.b32encode(digest).decode().lower()[:TAIL_CHARS]

    def of(self, org: str, secret: bytes) -> bytes:
        return PREFIX + self.tail(org, secret).encode()


def pieces(text: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """What of text[start:end] is replaced: all of it; of several lines, each line but for its gutter. So a key over
    many lines comes back line by line, also when the model writes it without the numbers it was shown with."""
    if text.find(b"\n", start, end) < 0:
        yield start, end
        return
    for line in _LINE.finditer(text, start, end):
        first, last = line.span()
        gutter = _GUTTER.match(text, text.rfind(b"\n", 0, first) + 1, last)
        if gutter is not None and first <= gutter.end() <= last:
            first = gutter.end()
        while last > first and text[last - 1] in b" \t":
            last -= 1
        if last > first:
            yield first, last


def merged(places: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The places in order, those that overlap made one."""
    out: list[tuple[int, int]] = []
    for start, end in sorted(places):
        if out and start < out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((start, end))
    return out
