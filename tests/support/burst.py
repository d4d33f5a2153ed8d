"""Many calls at once from one process, each on its own connection, and what budgets look like meanwhile.

`Burst` sends; `Probe` samples the counters; the upstream's own log priced anew is the oracle.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from fastgate._core.money import PriceRow
from fastgate._core.usage import Usage
from fastgate.prices.book import PriceBook
from fastgate.prices.catalog import compile_prices
from fastgate.prices.settings import PriceSettings
from fastgate.sim import usage as sim
from tests.support.gateway import KEY
from tests.support.sim import Call

MODEL = "claude-sonnet-5-5"
CALL_S = 60.0

BOOK = PriceBook(compile_prices(PriceSettings()))


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> tuple[str, str]:
        """Type and message of an error."""
        found = json.loads(self.body)["error"]
        return found["type"], found["message"]


def request(text: str, max_tokens: int, model: str = MODEL, **more: Any) -> bytes:
    messages = [{"role": "user", "content": text}]
    return json.dumps({"model": model, "max_tokens": max_tokens, "messages": messages, **more}).encode()


async def post(port: int, body: bytes, key: str = KEY) -> Answer:
    """One call on its own connection. OSError or EOFError where the gateway dies under it."""
    async with asyncio.timeout(CALL_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(
                b"POST /v1/messages HTTP/1.1\r\nhost: t\r\nx-api-key: %b\r\ncontent-type: application/json\r\n"
                b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (key.encode(), len(body), body)
            )
            head, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)
            }
            length = headers.get("content-length")
            data = await reader.readexactly(int(length)) if length is not None else await reader.read()
            return Answer(int(head.split()[1]), headers, data)
        finally:
            writer.close()


async def until_decided(port: int, body: bytes, key: str = KEY, within_s: float = 45.0) -> Answer:
    """As a client that waits where it is told to: again after a retryable 429, or a 503 of a gateway that sheds load,
    until there is another answer."""
    deadline = time.monotonic() + within_s
    while True:
        answer = await post(port, body, key)
        final = answer.status not in (429, 503) or answer.headers.get("x-should-retry") == "false"
        if final or time.monotonic() > deadline:
            return answer
        await asyncio.sleep(0.2)


def cost_of(row: PriceRow, used: sim.Usage) -> int:
    """What tokens of the upstream's log cost at a price, in nano-dollars."""
    return row.cost(
        Usage.of(
            input_tokens=used.input_tokens,
            output_tokens=used.output_tokens,
            cache_write_5m_tokens=used.cache_write_5m_tokens,
            cache_write_1h_tokens=used.cache_write_1h_tokens,
            cache_read_tokens=used.cache_read_tokens,
        )
    )


def billed(calls: list[Call], row_of: str = MODEL) -> int:
    """What the upstream's own log comes to, in nano-dollars."""
    total = 0
    for call in calls:
        if call.started.status != 200:
            continue
        total += cost_of(BOOK.row("anthropic", call.started.model or row_of), call.started.usage)
    return total


class Sampler:
    """Looks at something again and again, in a thread of its own, for the time of a with block."""

    every_s = 0.02

    def __enter__(self) -> Self:
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self.every_s):
            self.sample()

    def sample(self) -> None:
        raise NotImplementedError


@dataclass
class Probe(Sampler):
    """Samples one budget of `counters.sqlite`."""

    path: Path
    budget: str
    samples: list[tuple[int, int]] = field(default_factory=list)
    """(spent, leased or doubtful)"""

    every_s = 0.003

    def sample(self) -> None:
        self.samples.append(self.look())

    def look(self) -> tuple[int, int]:
        db = sqlite3.connect(self.path, timeout=10)
        try:
            spent, leased = db.execute(
                "SELECT coalesce(sum(spent), 0), coalesce(sum((SELECT sum(max(l.nano, 0)) FROM leases l "
                "JOIN workers w USING (epoch) WHERE l.cell = c.id AND w.state <> 'reaped')), 0) "
                "FROM cells c WHERE budget = ?",
                (self.budget,),
            ).fetchone()
        finally:
            db.close()
        return spent, leased

    def at_rest(self, within_s: float = 20.0) -> int:
        """What is spent once nothing is leased any more, or what was last."""
        deadline = time.monotonic() + within_s
        while True:
            spent, leased = self.look()
            if leased == 0 or time.monotonic() > deadline:
                assert leased == 0, f"{leased} nano-dollars stay leased"
                return spent
            time.sleep(0.05)
