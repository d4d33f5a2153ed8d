"""Changes of an input that a parser may meet: a small mutator for machines without atheris, and its dictionary."""

from __future__ import annotations

import random

WORDS = [
    b'"model":"m"',
    b'"usage":{"output_tokens":7}',
    b'{"type":"message_delta"}',
    b"event: message_stop\n",
    b"data: {}\n\n",
    b"data:",
    b"event:",
    b"\n\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\r",
    b": ",
    b"HTTP/1.1 200 OK\r\n",
    b"content-length: 5\r\n",
    b"transfer-encoding: chunked\r\n",
    b"content-type: text/event-stream\r\n",
    b"0\r\n\r\n",
    b"5\r\nhello\r\n",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\xff",
    b"\x00",
    b"\\ud800",
    b"\\u0065",
    b"\\",
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"1e999",
    b"-1",
    b"9223372036854775808",
    b"null",
    b"true",
    b"[" * 70,
    b'{"a":' * 70,
    b"${KEY}",
    b"&a ",
    b"*a",
    b"!!python/object:os.system",
    b"- ",
    b"version: 1\n",
    b"<<: *a\n",
    b"\x00\x00\x00\x10",
    b"*" * 600,
]


def mutated(data: bytes, other: bytes, style: random.Random) -> bytes:
    """`data` after one to four changes; `other` lends pieces."""
    made = bytearray(data)
    for _ in range(style.randint(1, 4)):
        at = style.randrange(len(made) + 1)
        match style.randrange(7):
            case 0 if made:
                made[at % len(made)] ^= 1 << style.randrange(8)
            case 1:
                made[at:at] = style.choice(WORDS)
            case 2:
                del made[at : at + style.randint(1, 20)]
            case 3:
                end = style.randrange(at, len(made) + 1)
                made[at:at] = made[at:end][:200]
            case 4:
                start = style.randrange(len(other) + 1)
                made[at:] = other[start : start + 400]
            case 5:
                made[at : at + style.randint(0, 3)] = style.randbytes(style.randint(1, 3))
            case _:
                made[at : at + 4] = style.choice(WORDS)
    return bytes(made)
