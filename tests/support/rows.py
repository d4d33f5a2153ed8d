"""Requests that servers have been smuggled past with: payloads by name, for the table of tests/edge and for what holds
the gateway against other servers. A canary request follows each; whoever answers it says where it saw the first end.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from tests.support.plane import KEY, body

BODY = json.dumps(body()).encode()
CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
LENGTH = f"content-length: {len(BODY)}\r\n"
TE = "transfer-encoding: chunked\r\n"

CANARY = b"GET /canary HTTP/1.1\r\nhost: canary\r\nconnection: close\r\n\r\n"
"""Ends the connection, so that a test need not wait for silence."""

MESSAGES = "/v1/messages"


@dataclass(frozen=True)
class Row:
    """One payload. `answers` are the statuses until the connection ends, 404 being the canary's; `interim` counts
    1xx heads among them."""

    name: str
    data: bytes
    answers: tuple[int, ...]


def request(
    fields: str, data: bytes, *, target: str = MESSAGES, host: str = "host: t\r\n", version: str = "1.1"
) -> bytes:
    return f"POST {target} HTTP/{version}\r\n{host}x-api-key: {KEY}\r\n{fields}\r\n".encode("latin-1") + data


def chunk(size: bytes, after: bytes = b"\r\n", rest: bytes = b"0\r\n\r\n") -> bytes:
    """A chunked request whose first chunk has this size line and is followed by this."""
    return request(TE, size + BODY + after + rest)


def get(fields: str, data: bytes = b"") -> bytes:
    return f"GET /healthz HTTP/1.1\r\n{fields}\r\n".encode() + data


N = b"%x" % len(BODY)
PASSED, REFUSED, CLOSED = (200, 404), (400,), (200,)
"""Answered, and the canary too; refused and closed; answered and closed."""

ROWS = [
    Row("plain", request(LENGTH, BODY), PASSED),
    Row("chunked", request(TE, CHUNKED), PASSED),
    Row("chunked, spelled otherwise", request("Transfer-Encoding:  Chunked\r\n", CHUNKED), PASSED),
    # Two framings at once. The server drops the length before we see it, uses the chunks and closes (RFC 9112 6.3).
    Row("length and chunks", request(LENGTH + TE, CHUNKED), CLOSED),
    Row("chunks and length", request(TE + LENGTH, CHUNKED), CLOSED),
    Row("chunks and a short length", request("content-length: 4\r\n" + TE, CHUNKED), CLOSED),
    Row("equal lengths", request(LENGTH + LENGTH, BODY), PASSED),
    Row("a list of equal lengths", request(f"content-length: {len(BODY)}, {len(BODY)}\r\n", BODY), REFUSED),
    Row("two lengths", request(LENGTH + "content-length: 4\r\n", BODY), REFUSED),
    *(
        Row(f"length {written!r}", request(f"content-length: {written}\r\n", BODY), REFUSED)
        for written in (f"+{len(BODY)}", f"-{len(BODY)}", "0x4", "1e2", "", "4 4", "99999999999999999999")
    ),
    Row("length on two lines", request(f"content-length:\r\n {len(BODY)}\r\n", BODY), REFUSED),
    # Transfer codings that someone may overlook.
    *(
        Row(f"coding {written!r}", request(f"transfer-encoding: {written}\r\n", CHUNKED), REFUSED)
        for written in (
            "identity, chunked", "gzip, chunked", "chunked, chunked", "chunked, identity", "xchunked", "chunked;x=1",
            '"chunked"', "\x0bchunked", "chunked\x00", "chunked,", ",chunked", "chunk ed",
        )
    ),
    Row("coding before the colon", request("transfer-encoding : chunked\r\n", CHUNKED), REFUSED),
    Row("coding on two lines", request("transfer-encoding:\r\n chunked\r\n", CHUNKED), REFUSED),
    Row("coding twice", request(TE + TE, CHUNKED), REFUSED),
    Row("identity, then chunked", request("transfer-encoding: identity\r\n" + TE, CHUNKED), REFUSED),
    Row("chunked, then identity", request(TE + "transfer-encoding: identity\r\n", CHUNKED), REFUSED),
    Row("identity and a length", request("transfer-encoding: identity\r\n" + LENGTH, BODY), REFUSED),
    Row("no coding and a length", request("transfer-encoding: \r\n" + LENGTH, BODY), REFUSED),
    Row("a coding by another name", request("transfer_encoding: chunked\r\n" + LENGTH, BODY), PASSED),
    Row("chunked in HTTP/1.0", request(TE, CHUNKED, version="1.0"), REFUSED),
    # Chunks.
    Row("chunk size in hexadecimal with 0x", chunk(b"0x" + N + b"\r\n"), REFUSED),
    Row("negative chunk size", chunk(b"-" + N + b"\r\n"), REFUSED),
    Row("chunk size that overflows", chunk(b"ffffffffffffffff1\r\n"), REFUSED),
    Row("chunk size that wraps", chunk(b"100000000000000" + N + b"\r\n"), REFUSED),
    Row("chunk size ended by LF", chunk(N + b"\n"), REFUSED),
    Row("chunk with an extension", chunk(N + b";a=b\r\n"), PASSED),
    Row("line end in an extension", chunk(N + b";a\nb\r\n"), REFUSED),
    Row("chunk that does not end", chunk(N + b"\r\n", after=b"XX"), REFUSED),
    Row("chunk longer than said", chunk(b"2\r\n"), REFUSED),
    Row("no last chunk", request(TE, N + b"\r\n" + BODY + b"\r\n"), REFUSED),
    Row("trailers", chunk(N + b"\r\n", rest=b"0\r\ncontent-length: 5\r\nhost: evil\r\n\r\n"), REFUSED),
    Row("broken trailers", chunk(N + b"\r\n", rest=b"0\r\nno colon\r\n\r\n"), REFUSED),
    # Host and target.
    Row("no host", request(LENGTH, BODY, host=""), REFUSED),
    Row("no host in HTTP/1.0", request(LENGTH, BODY, host="", version="1.0"), REFUSED),
    Row("two hosts", request(LENGTH, BODY, host="host: a\r\nhost: b\r\n"), REFUSED),
    Row("the same host twice", request(LENGTH, BODY, host="host: a\r\nhost: a\r\n"), REFUSED),
    *(
        Row(f"host {written!r}", request(LENGTH, BODY, host=f"host: {written}\r\n"), REFUSED)
        for written in ("", "a, b", "a@b", "a/b", "a b", "a?b", "a#b", "a\\b", "\xe4")
    ),
    Row("host with a port", request(LENGTH, BODY, host="host: Gate-way_1.example:8080\r\n"), PASSED),
    Row("host in brackets", request(LENGTH, BODY, host="host: [::1]:8080\r\n"), PASSED),
    Row("target of another host", request(LENGTH, BODY, target=f"http://evil{MESSAGES}"), REFUSED),
    Row("target of the same host", request(LENGTH, BODY, target=f"http://T{MESSAGES}"), PASSED),
    Row("target with another port", request(LENGTH, BODY, target=f"http://t:81{MESSAGES}"), REFUSED),
    Row("target with a user", request(LENGTH, BODY, target=f"http://u@t{MESSAGES}"), REFUSED),
    Row("target of a host, no host", request(LENGTH, BODY, target=f"http://t{MESSAGES}", host=""), REFUSED),
    Row("target with a space", request(LENGTH, BODY, target=f"{MESSAGES} x"), REFUSED),
    Row("target with a control character", request(LENGTH, BODY, target=f"{MESSAGES}?a\x01b"), REFUSED),
    Row("query that is no ASCII", request(LENGTH, BODY, target=f"{MESSAGES}?a=\xc3\xa4"), (400, 404)),
    Row("asterisk", request(LENGTH, BODY, target="*"), (404, 404)),
    Row("CONNECT", b"CONNECT t:80 HTTP/1.1\r\nhost: t:81\r\n\r\n", REFUSED),
    Row("liveness without a host", get(""), REFUSED),
    Row("liveness of HTTP/1.0", b"GET /healthz HTTP/1.0\r\n\r\n", CLOSED),
    # Lines.
    Row("line feeds alone", request(LENGTH, BODY).replace(b"\r\n", b"\n"), PASSED),
    Row("a folded line", request("x-a: b\r\n c\r\n" + LENGTH, BODY), REFUSED),
    Row("NUL in a value", request("x-a: b\0c\r\n" + LENGTH, BODY), REFUSED),
    Row("CR in a value", request("x-a: b\rc\r\n" + LENGTH, BODY), REFUSED),
    Row("space in a name", request("x a: b\r\n" + LENGTH, BODY), REFUSED),
    Row("no name", request(": b\r\n" + LENGTH, BODY), REFUSED),
    Row("no colon", request("x-a\r\n" + LENGTH, BODY), REFUSED),
    Row("bytes over 127 in a value", request("x-a: \xff\r\n" + LENGTH, BODY), PASSED),
    Row("empty lines before", b"\r\n\r\n" + request(LENGTH, BODY), PASSED),
    # Sizes.
    Row("200 headers", request("".join(f"x-{n}: a\r\n" for n in range(200)) + LENGTH, BODY), (431,)),
    Row("a header of 8 KiB", request(f"x-a: {'a' * 8192}\r\n" + LENGTH, BODY), PASSED),
    *(
        Row(f"a header of {size} bytes", request(f"x-a: {'a' * size}\r\n" + LENGTH, BODY), (431,))
        for size in (8193, 64_000, 500_000)
    ),
    Row("a long query", request(LENGTH, BODY, target=f"{MESSAGES}?{'a' * 8193}"), (431,)),
    # Other protocols and versions.
    Row("h2c", request("connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AA\r\n" + LENGTH, BODY),
        PASSED),
    Row("HTTP/2 in clear", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ()),
    *(Row(f"HTTP/{v}", request(LENGTH, BODY, version=v), REFUSED) for v in ("2.0", "1.2", "0.9", "1.10")),
    Row("HTTP/0.9", b"GET /healthz\r\n", REFUSED),
    Row("HTTP/1.0", request(LENGTH, BODY, version="1.0"), CLOSED),
    # Bodies that are not read.
    Row("a body on GET", get("host: t\r\ncontent-length: 5\r\n", b"hello"), PASSED),
    Row("a request as the body of GET", get(f"host: t\r\ncontent-length: {len(CANARY)}\r\n", CANARY), PASSED),
    Row("chunks on GET", get("host: t\r\n" + TE, b"5\r\nhello\r\n0\r\n\r\n"), PASSED),
    Row("codings on GET", get("host: t\r\ntransfer-encoding: gzip, chunked\r\n", b"0\r\n\r\n"), REFUSED),
    Row("a body on an unknown route", request(LENGTH, BODY, target="/nowhere"), (404, 404)),
    Row("length beyond the body", request(f"content-length: {len(BODY) + 10}\r\n", BODY), (400, 400)),
    Row("length short of the body", request("content-length: 4\r\n", BODY), (400, 400)),
    # What is said of the body.
    Row("a compressed body", request("content-encoding: gzip\r\n" + LENGTH, BODY), (400, 404)),
    Row("compression hidden by a second line",
        request("content-encoding: gzip\r\ncontent-encoding: identity\r\n" + LENGTH, BODY), (400, 404)),
    Row("a charset", request("content-type: application/json; charset=utf-16\r\n" + LENGTH, BODY), (400, 404)),
    Row("utf-8 by name", request('content-type: application/json; charset="UTF-8"\r\n' + LENGTH, BODY), PASSED),
]  # fmt: skip
