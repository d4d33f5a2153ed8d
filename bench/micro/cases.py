"""The functions that are timed, each with input of the size it meets in service. A case prepares one call."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.load import payloads

Call = Callable[[], Any]
CASES: list[Case] = []


@dataclass(frozen=True)
class Case:
    """One timed function. `prepare` gets a folder of its own and gives the call."""

    module: str
    name: str
    prepare: Callable[[Path], Call]


def case(module: str, name: str) -> Callable[[Callable[[Path], Call]], Callable[[Path], Call]]:
    def register(prepare: Callable[[Path], Call]) -> Callable[[Path], Call]:
        CASES.append(Case(module, name, prepare))
        return prepare

    return register


def stream(deltas: int, text: str = "a few words of the answer ") -> bytes:
    """An answer as the provider streams it: `deltas` pieces of text between its start and its end."""
    message = {**payloads.ANSWER, "content": [], "stop_reason": None}
    block = {"type": "text", "text": ""}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": block},
        *[{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}] * deltas,
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 6 * deltas}},
        {"type": "message_stop"},
    ]
    return b"".join(f"event: {e['type']}\ndata: {json.dumps(e, separators=(',', ':'))}\n\n".encode() for e in events)


@case("money", "cost of a call")
def _(folder: Path) -> Call:
    row, usage = _priced()
    return lambda: row.cost(usage)


@case("money", "bound of a call")
def _(folder: Path) -> Call:
    row, _ = _priced()
    return lambda: row.bound(180_000, 32_000)


@case("money", "dollars as text")
def _(folder: Path) -> Call:
    from fastgate._core.money import format_usd

    return lambda: format_usd(72_543_000)


@case("prices.book", "look-up of a known id")
def _(folder: Path) -> Call:
    from fastgate.prices.book import PriceBook
    from fastgate.prices.catalog import compile_prices
    from fastgate.prices.settings import PriceSettings

    book = PriceBook(compile_prices(PriceSettings()))
    return lambda: book.lookup("anthropic", "claude-sonnet-4-5-20250929")


@case("request", "body of 150 B")
def _(folder: Path) -> Call:
    from fastgate._core.request import read_request

    body = payloads.small(stream=True)
    return lambda: read_request(body)


@case("request", "conversation of 730 KB")
def _(folder: Path) -> Call:
    from fastgate._core.request import read_request

    body = payloads.large(stream=True)
    return lambda: read_request(body)


@case("head", "Claude Code's headers")
def _(folder: Path) -> Call:
    from fastgate._core.head import read_head

    lines = {**payloads.HEADERS, "x-api-key": "sk-fg-" + "a" * 40, "Host": "127.0.0.1:8080", "Content-Length": "150"}
    items = [(name.lower(), value) for name, value in lines.items()]
    return lambda: read_head(items)


@case("meter", "whole answer")
def _(folder: Path) -> Call:
    from fastgate._core.meter import Meter

    body = payloads.ANSWER_JSON.encode()
    return lambda: Meter.of(stream=False).read_message(body)


@case("meter", "stream of 100 deltas in one read")
def _(folder: Path) -> Call:
    from fastgate._core.meter import Meter

    chunk = stream(100)

    def call() -> None:
        meter = Meter.of(stream=True)
        meter.feed_bytes(chunk)
        meter.finish()

    return call


@case("meter", "stream of 100 deltas, a read each")
def _(folder: Path) -> Call:
    from fastgate._core.meter import Meter

    chunks = [event + b"\n\n" for event in stream(100).split(b"\n\n") if event]

    def call() -> None:
        meter = Meter.of(stream=True)
        for chunk in chunks:
            meter.feed_bytes(chunk)
        meter.finish()

    return call


@case("sse", "boundaries of 100 events")
def _(folder: Path) -> Call:
    from fastgate._core.sse import Scanner

    chunk = stream(100)
    return lambda: Scanner.of().feed_bytes(chunk)


@case("flight", "claim and release of a slot")
def _(folder: Path) -> Call:
    from fastgate._core.flight import FlightTable
    from fastgate.journal.format import new_epoch

    epoch = new_epoch()
    table = FlightTable.create(folder / "bench.flight", epoch)
    note = os.urandom(300)
    return lambda: table.release(table.claim(1, 1, note))


@case("escrow", "hold and settle, five cells")
def _(folder: Path) -> Call:
    from fastgate._core.escrow import Escrow

    escrow = Escrow()
    slots = [escrow.open() for _ in range(5)]
    for slot in slots:
        escrow.grant(slot, 1 << 59)
    cells, hold = escrow.cells(slots), escrow.hold
    return lambda: hold(cells, 2_560_000_000).settle(72_543_000)  # type: ignore[union-attr]


@case("credit", "bytes a client has not acknowledged")
def _(folder: Path) -> Call:
    from fastgate._core.credit import Credit, locate_all

    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname())
    served, peer = listener.accept()
    locate_all()
    credit = Credit(f"{peer[0]}:{peer[1]}")

    def call(kept: tuple[socket.socket, ...] = (listener, client, served)) -> int:
        return credit.unacknowledged()

    return call


@case("journal", "one record of 600 B")
def _(folder: Path) -> Call:
    from fastgate.journal.writer import JournalWriter

    writer = JournalWriter.create(folder / "journal")
    body = os.urandom(600)
    return lambda: writer.append(1, body)


def _priced() -> tuple[Any, Any]:
    from fastgate._core.money import PriceRow
    from fastgate._core.usage import Usage

    row = PriceRow.new(
        input_pico=3_000_000,
        output_pico=15_000_000,
        cache_write_5m_pico=3_750_000,
        cache_write_1h_pico=6_000_000,
        cache_read_pico=300_000,
        us_geo_ppm=1_100_000,
    )
    return row, Usage.of(
        input_tokens=6, cache_read_tokens=178_000, cache_write_5m_tokens=1500, output_tokens=900, us_geo=True
    )
