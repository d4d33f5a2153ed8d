"""What is fuzzed: for each parser a function of bytes that fails when a law does. The same functions run under atheris
(`python -m tests.fuzz`), under the sanitizers and over the corpus in `make test`.

The first byte of an input chooses how the rest is cut into pieces: no split may change what is said. Where a slow twin
exists it is the judge; else the law is that only the declared error comes out.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httptools
import msgspec

from fastgate._core.blocks import read_answer, read_blocks
from fastgate._core.credit import Credit
from fastgate._core.digest import CanonicalError, read_canonical
from fastgate._core.flight import FlightTable
from fastgate._core.frames import FrameReader
from fastgate._core.glance import holds_nothing
from fastgate._core.head import read_head
from fastgate._core.memo import Memo
from fastgate._core.meter import Meter
from fastgate._core.pack import Packer
from fastgate._core.prefilter import Prefilter
from fastgate._core.pump import Pump
from fastgate._core.reply import plain_head
from fastgate._core.request import RequestError, read_request
from fastgate._core.restore import PREFIX, SIZE, Restorer
from fastgate._core.sse import Scanner
from fastgate._core.usage import Usage
from fastgate.config import load_config
from fastgate.directory import parse_directory
from fastgate.guards import windows
from fastgate.guards.rule import KINDS
from fastgate.tree import ConfigErrors
from tests.model import digest as digest_model
from tests.model import frames as frames_model
from tests.model import meter as meter_model
from tests.model import prefilter as prefilter_model
from tests.model import request as request_model
from tests.model.sse import scan
from tests.support.wire import cut, lend

LIMIT = 512
"""Longest event, so that small inputs reach the limit."""


def split(data: bytes) -> tuple[bytes, list[bytes]]:
    """The input after its first byte, and the same in pieces."""
    choice, rest = data[0] if data else 0, data[1:]
    if choice == 255:
        return rest, [rest[at : at + 1] for at in range(len(rest))]
    style = random.Random(choice)
    return rest, cut(rest, [style.randrange(len(rest) + 1) for _ in range(choice % 8)])


def request(data: bytes) -> None:
    """Accepted as the slow reader and the standard library read it, or refused as by the slow reader."""
    try:
        view = read_request(data)
    except RequestError:
        try:
            request_model.read_request(data)
        except request_model.RefusedError:
            return
        raise AssertionError("refused, and the slow reader accepts") from None
    expected = vars(request_model.read_request(data))
    assert {name: getattr(view, name) for name in expected} == expected
    tree = json.loads(data)
    assert (tree["model"], tree.get("stream", False)) == (view.model, view.stream)


def conversation(data: bytes) -> None:
    """Every block of a request can be read, every seam too, and what would be hidden of it lies in the body."""
    try:
        read_request(data)
    except RequestError:
        return
    for block in read_blocks(data, Memo.of(b"k" * 1072, slots=64), seams=True).noted:
        size = len(block.text)
        for start, end in ((0, size), (size // 3, size // 2)):
            assert all(block.start <= low <= high <= block.end for low, high, *_ in block.raw_places(start, end))


def digest(data: bytes) -> None:
    """Whatever is accepted has one canonical form, which is JSON, or is refused as such."""
    try:
        read_request(data)
        found = read_canonical(data)
    except (RequestError, CanonicalError):
        return
    assert found.data == digest_model.canonical(data)


def sse(data: bytes) -> None:
    whole, pieces = split(data)
    expected = scan(whole, LIMIT)
    scanner = Scanner.of(LIMIT)
    events = [event for piece in pieces for event in lend(scanner.feed_bytes, piece)]
    assert events == expected.events
    assert (scanner.oversize, scanner.at_boundary) == (expected.oversize, expected.at_boundary)


def meter(data: bytes) -> None:
    whole, pieces = split(data)
    expected = meter_model.read_stream(whole, LIMIT).shown()
    found = Meter.of(stream=True, limit=LIMIT)
    for piece in pieces:
        lend(found.feed_bytes, piece)
    assert shown(found, expected) == expected
    found.finish()
    found.floor()


def usage(data: bytes) -> None:
    """A whole answer, and a usage object by itself."""
    expected = meter_model.read_body(data).shown()
    found = Meter.of(stream=False)
    found.read_message(data)
    assert shown(found, expected) == expected
    alone = Usage.of(seen=False, final=False)
    alone.take(data, final=True)
    assert min(alone.input_tokens, alone.output_tokens, alone.cache_read_tokens, alone.web_search) >= 0


def shown(found: Meter, expected: dict[str, Any]) -> dict[str, Any]:
    said = {name: getattr(found, name) for name in expected if name != "usage"}
    return {**said, "usage": {name: getattr(found.usage, name) for name in expected["usage"]}}


def frames(data: bytes) -> None:
    whole, pieces = split(data)
    events, broken, count, left = frames_model.events(whole)
    reader = FrameReader.of()
    assert b"".join(lend(reader.feed, piece) for piece in pieces) == events
    assert (reader.broken, reader.frames) == (broken, count)
    assert broken or reader.at_boundary == (left == 0)


def head(data: bytes) -> None:
    """Lines `name: value`: whatever is in them, what travels is whole lines of allowed names."""
    lines = (line.partition(b":") for line in data.split(b"\n"))
    items = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, _, value in lines if name]
    try:
        found = read_head(items)
    except ValueError:
        return
    *kept, last = found.lines.split(b"\r\n")
    assert last == b""
    allowed = {"accept", "user-agent", "x-app", "traceparent", "tracestate", "content-type", "idempotency-key"}
    for line in kept:
        name = line.partition(b": ")[0].decode()
        assert name in allowed or name.startswith(("anthropic-", "x-stainless-"))
        assert b"\r" not in line and b"\n" not in line


class Wire:
    """A transport that takes everything and says nothing."""

    closed = False

    def get_extra_info(self, _name: str) -> None:
        return None

    def get_write_buffer_size(self) -> int:
        return 0

    def writelines(self, _parts: object) -> None:
        return None

    write = writelines

    def pause_reading(self) -> None:
        return None

    resume_reading = pause_reading

    def abort(self) -> None:
        self.closed = True


class Promise:
    """A future that nobody awaits."""

    set = False

    def done(self) -> bool:
        return self.set

    def set_result(self, _value: object) -> None:
        self.set = True


class Loop:
    """What a pump needs of its loop; nothing is ever due."""

    create_future = Promise

    def call_later(self, _delay_s: float, _call: object) -> None:
        return None


_flight: FlightTable | None = None


def flight() -> FlightTable:
    """One table for all runs: a slot is noted, never claimed."""
    global _flight
    if _flight is None:
        from tempfile import mkdtemp

        from fastgate.journal import new_epoch

        epoch = new_epoch()
        _flight = FlightTable.create(str(Path(mkdtemp()) / "fuzz.flight"), epoch)
    return _flight


def exchange(pieces: list[bytes], stream: bool) -> dict[str, Any]:
    """One answer through a pump: what reached the client and how it ended."""
    found = Meter.of(stream=stream)
    pump, wire, out = Pump(Loop()), Wire(), []
    pump.connection_made(wire)
    pump.start(b"", b"{}", found, flight(), -1, stream, 1 << 60, 1 << 60, 0)
    attached = False
    for piece in pieces:
        if wire.closed:
            break
        pump.data_received(piece)
        if not attached and pump.streaming and pump.failure is None:
            pump.attach(out.append, Credit("192.0.2.1:1"), lambda found: found())
            attached = True
    if not wire.closed:
        pump.connection_lost(None)
    body = b"" if attached else pump.body
    return {
        "attached": attached,
        "failure": pump.failure,
        "status": pump.status,
        "headers": pump.headers,
        "request_id": pump.request_id,
        "body": body if pump.failure is None else b"",
        "out": b"".join(out),
        "usage": (found.usage.input_tokens, found.usage.output_tokens, found.output_bytes),
    }


def pump(data: bytes) -> None:
    """Any bytes from an upstream, in any pieces, end the exchange in one of the known ways, and pieces change neither
    what the client gets nor what is metered. Even first bytes ask for a stream."""
    whole, pieces = split(data)
    stream = not data or data[0] % 2 == 0
    after_head = whole.find(b"\r\n\r\n") + 4
    one, other = exchange([whole[:after_head], whole[after_head:]], stream), exchange(pieces, stream)
    assert one["failure"] in (None, "reset", "truncated", "bad_response")
    for name, value in one["headers"]:
        assert "\r" not in value and "\n" not in value and name == name.lower()
    if one["attached"] and other["attached"]:
        assert one == other
    else:  # a failure that comes in one piece with the head is told before anything is passed on
        assert (one["status"], one["failure"]) == (other["status"], other["failure"])


class Told:
    """What llhttp makes of the head of an answer."""

    def __init__(self, head: bytes) -> None:
        self.lines: list[tuple[bytes, bytes]] = []
        self.kept = False
        self._parser = httptools.HttpResponseParser(self)
        self._parser.feed_data(head)
        self.status: int = self._parser.get_status_code()

    def on_header(self, name: bytes, value: bytes) -> None:
        self.lines.append((name, value))

    def on_headers_complete(self) -> None:
        self.kept = self._parser.should_keep_alive()


def reply(data: bytes) -> None:
    """A head that is read without llhttp says what llhttp reads in it."""
    found = plain_head(data)
    if found is not None:
        status, length, begun, lines = found
        told = Told(data[:begun])
        assert (told.status, told.lines, told.kept) == (status, lines, True)
        assert [int(value) for name, value in lines if name.lower() == b"content-length"] == [length]


SECRET = b"AKIA"
WINDOW = tuple(windows.class_of({code}) for code in SECRET)
PREFILTER = Prefilter.of([(windows.gram_of(WINDOW), *[each.to_bytes(32, "little") for each in WINDOW])])


def blocks(data: bytes) -> None:
    """An answer is read, or refused as what cannot be scanned; and of what a glance lets go nothing is to be found."""
    nothing = holds_nothing(data, PREFILTER)
    try:
        found = read_answer(data).noted
    except ValueError:
        assert not nothing
        return
    assert not nothing or not any(SECRET in block.text for block in found)
    assert not nothing or all(KINDS[block.kind] != "tool_use_input" for block in found)


def prefilter(data: bytes) -> None:
    assert PREFILTER.may_match(data) == prefilter_model.may_match([WINDOW], data)


SECRETS = {PREFIX + bytes([letter]) * (SIZE - len(PREFIX)): b'"\\ \xe2\x86\x92' + bytes([letter]) for letter in b"ab"}


def restore(data: bytes) -> None:
    """No split of a stream changes what its client gets, and what has no placeholder stays as it is."""
    whole, pieces = split(data)
    one, other = Restorer.of(SECRETS), Restorer.of(SECRETS)
    expected = one.feed(whole) + one.finish()
    assert b"".join(lend(other.feed, piece) for piece in pieces) + other.finish() == expected
    assert one.restored == other.restored
    Restorer.of(SECRETS).whole(whole)


def pack(data: bytes) -> None:
    """Any value that is written in MessagePack is written as msgspec does."""
    try:
        value = msgspec.msgpack.decode(data)
        expected = msgspec.msgpack.encode([value])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return
    packer = Packer()
    packer.begin(1)
    try:
        packer.value(value)
    except TypeError:  # an extension or a time: no record has one
        return
    assert packer.taken() == expected


def config(data: bytes) -> None:
    """Any file is a configuration or a list of what is wrong with it; so for a directory."""
    for load in (
        lambda: load_config(Path("fastgate.yaml"), {"KEY": "k" * 40}, data),
        lambda: parse_directory(data, {"KEY": "k" * 40}, "directory.yaml"),
    ):
        try:
            load()
        except ConfigErrors as errors:
            str(errors)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "request": request,
    "digest": digest,
    "sse": sse,
    "meter": meter,
    "usage": usage,
    "frames": frames,
    "head": head,
    "pump": pump,
    "config": config,
    "reply": reply,
    "blocks": blocks,
    "conversation": conversation,
    "prefilter": prefilter,
    "restore": restore,
    "pack": pack,
}
