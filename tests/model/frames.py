"""AWS event-stream frames, slowly: the whole stream at once, as the specification says it."""

from __future__ import annotations

import base64
import binascii
import json
import struct
import zlib

from tests.model.json_text import NotJsonError, read
from tests.model.sse import scan

ERRORS = {
    b"throttlingException": b"rate_limit_error",
    b"serviceUnavailableException": b"overloaded_error",
    b"modelTimeoutException": b"timeout_error",
    b"validationException": b"invalid_request_error",
    b"internalServerException": b"api_error",
    b"modelStreamErrorException": b"api_error",
}
SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}


class BrokenError(ValueError):
    """What is not a frame, or not one of Bedrock's."""


def frame(headers: list[tuple[bytes, int, bytes]], payload: bytes) -> bytes:
    """One frame. A header is name, type and the value's bytes as they stand in a frame."""
    block = b"".join(
        bytes([len(name)]) + name + bytes([kind]) + (struct.pack(">H", len(value)) if kind in (6, 7) else b"") + value
        for name, kind, value in headers
    )
    prelude = struct.pack(">II", len(block) + len(payload) + 16, len(block))
    whole = prelude + struct.pack(">I", zlib.crc32(prelude)) + block + payload
    return whole + struct.pack(">I", zlib.crc32(whole))


def chunk(data: bytes) -> bytes:
    """The frame that carries the data of one event, as Bedrock writes it."""
    headers = [
        (b":event-type", 7, b"chunk"),
        (b":content-type", 7, b"application/json"),
        (b":message-type", 7, b"event"),
    ]
    return frame(headers, json.dumps({"bytes": base64.b64encode(data).decode(), "p": "abcdef"}).encode())


def exception(code: str, message: str) -> bytes:
    headers = [(b":message-type", 7, b"exception"), (b":exception-type", 7, code.encode())]
    return frame(headers, json.dumps({"message": message}).encode())


def labels_of(block: bytes) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(block):
        size = block[at]
        name, at = block[at + 1 : at + 1 + size], at + 1 + size
        if size == 0 or len(name) < size or at >= len(block):
            raise BrokenError
        kind, at = block[at], at + 1
        if kind in (6, 7):
            if len(block) - at < 2:
                raise BrokenError
            length, at = struct.unpack(">H", block[at : at + 2])[0], at + 2
        elif kind in SIZES:
            length = SIZES[kind]
        else:
            raise BrokenError
        if len(block) - at < length:
            raise BrokenError
        if kind == 7:
            found[name] = block[at : at + length]
        at += length
    return found


def member(json_text: bytes, name: bytes) -> tuple[bytes, bytes] | None:
    """The string of that name, as it stands and unescaped; None where there is none."""
    try:
        node = read(json_text, depth_limit=257)
    except NotJsonError:
        return None
    value = node.get(name) if node.kind == "object" else None
    if value is None or value.kind != "string":
        return None
    return json_text[value.start + 1 : value.end - 1], value.text


def event_of(labels: dict[bytes, bytes], payload: bytes) -> bytes:
    """The event that one frame stands for, or nothing."""
    kind = labels.get(b":message-type")
    if kind == b"event" and labels.get(b":event-type") == b"chunk":
        text = member(payload, b"bytes")
        if text is None or text[0] != text[1]:
            raise BrokenError
        try:
            data = base64.b64decode(text[0], validate=True)
        except binascii.Error:
            raise BrokenError from None
        if base64.b64encode(data) != text[0] or not data:
            raise BrokenError
        data = data.replace(b"\n", b" ").replace(b"\r", b" ")
        name = member(data, b"type")
        plain = name is not None and name[0] == name[1] and 0 < len(name[0]) <= 64
        if name is not None and plain and all(c in b"abcdefghijklmnopqrstuvwxyz_" for c in name[0]):
            return b"event: %b\ndata: %b\n\n" % (name[0], data)
        return b"data: %b\n\n" % data
    if kind not in (b"exception", b"error"):
        return b""
    code = labels.get(b":exception-type" if kind == b"exception" else b":error-code", b"")
    stated = member(payload, b"message") if kind == b"exception" else None
    message = (labels.get(b":error-message") or code) if kind == b"error" else code
    inside = stated[0] if stated is not None else escaped(message)
    return b'event: error\ndata: {"type":"error","error":{"type":"%b","message":"%b"}}\n\n' % (
        ERRORS.get(code, b"api_error"),
        inside.replace(b"\n", b" ").replace(b"\r", b" "),
    )


def escaped(text: bytes) -> bytes:
    return b"".join(b"\\u%04x" % c if c < 0x20 else b"\\" + bytes([c]) if c in b'"\\' else bytes([c]) for c in text)


def events(stream: bytes) -> tuple[bytes, bool, int, int]:
    """The events of all whole frames, whether the stream broke, how many frames were read, bytes left over."""
    out, at, count = b"", 0, 0
    while len(stream) - at >= 12:
        total, headers, crc = struct.unpack(">III", stream[at : at + 12])
        if crc != zlib.crc32(stream[at : at + 8]) or headers > 131072 or not 16 + headers <= total <= 25296912:
            return out, True, count, 0
        if len(stream) - at < total:
            break
        whole = stream[at : at + total]
        if struct.unpack(">I", whole[-4:])[0] != zlib.crc32(whole[:-4]):
            return out, True, count, 0
        try:
            out += event_of(labels_of(whole[12 : 12 + headers]), whole[12 + headers : -4])
        except BrokenError:
            return out, True, count, 0
        count += 1
        at += total
    return out, False, count, len(stream) - at


def frames(stream: bytes) -> list[tuple[str, bytes]]:
    """What the frames of a stream of events must say: ("chunk", data) or (exception, message as it stands)."""
    said: list[tuple[str, bytes]] = []
    for name, data in scan(stream, 1 << 26).events:
        if name != b"error":
            said.append(("chunk", data))
            continue
        try:
            node = read(data, depth_limit=257)
            error = node.get(b"error") if node.kind == "object" else None
        except NotJsonError:
            error = None
        inside = data[error.start : error.end] if error is not None else b""
        kind, message = member(inside, b"type"), member(inside, b"message")
        code = {kind: code for code, kind in reversed(ERRORS.items())}.get(kind[1] if kind else b"", b"")
        said.append(((code or b"internalServerException").decode(), message[0] if message else b""))
    return said
