"""`python -m bench.open_loop PORT KEY TEXT_BYTES RATE SECONDS OUT`: calls that leave when they are due, whatever
becomes of those before; started by bench.overload. RATE 0 is a closed loop of CLOSED connections: the capacity.

A closed loop slows down with the server and hides its collapse. Each call has a text of its own, so that no server can
know it from before. A call takes a connection that is free or opens one, as clients do; one whose answer says that it
closes is not used again. Leaves JSON in OUT: see `Result`.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from bench.load import payloads
from bench.probe import head
from fastgate.proc import take_limits

CLOSED = 16
CONNECTIONS = 8_000
"""At most open at once; a call that would need one more is counted as `unsent`, and the run says nothing then."""

ANSWER_S = 20.0
"""An answer that takes longer counts as none."""

NICE = -10
"""Of this process, where it may: it must not wait for a core itself when an answer has come."""

NONCE = b"%016d"


@dataclass
class Result:
    """What came of the calls. Times in ms from the moment that a call was due to its whole answer, by status."""

    good_ms: list[float] = field(default_factory=list)
    shed_ms: list[float] = field(default_factory=list)
    other: dict[str, int] = field(default_factory=dict)
    closing: int = 0
    """Answers of 200 that closed their connection."""
    without_retry_after: int = 0
    """Answers of 503 that do not say when to come back."""
    unsent: int = 0
    late_ms: float = 0.0
    """How much later than due a call left, at the 99th percentile: the generator's own lateness."""
    cores: float = 0.0
    """CPU of this process, in parts of one core."""
    seconds: float = 0.0

    def note(self, what: str) -> None:
        self.other[what] = self.other.get(what, 0) + 1


class Connection(asyncio.Protocol):
    """One connection, one call at a time."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.transport: Any = None
        self.answer = b""
        self.due = 0.0
        """Of the call that waits for its answer; 0 for none."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def send(self, due: float, request: list[bytes]) -> None:
        self.due, self.answer = due, b""
        self.load.waiting += 1
        self.transport.writelines(request)

    def data_received(self, data: bytes) -> None:
        self.answer += data
        top, mark, rest = self.answer.partition(b"\r\n\r\n")
        if not mark or not self.due:
            return
        lower = top.lower()
        length = int(lower.partition(b"content-length:")[2].split(b"\r\n", 1)[0] or b"0")
        if len(rest) >= length:
            self.load.answered(self, lower)

    def connection_lost(self, exc: Exception | None) -> None:
        self.load.open -= 1
        if self.due:
            self.due = 0.0
            self.load.waiting -= 1
            self.load.result.note(f"cut: {type(exc).__name__}")
        elif self in self.load.idle:
            self.load.idle.remove(self)


class Load:
    """The calls of one run."""

    def __init__(self, port: int, key: str, text_bytes: int, closed: bool) -> None:
        self.port, self.closed, self.result = port, closed, Result()
        self.idle: list[Connection] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.open = self.waiting = 0
        self.number = random.SystemRandom().getrandbits(48)  # no two runs say the same: guards know what they have seen
        text = "".join(random.Random(1).choices("abcdefghij klmnop qrstuv\n", k=text_bytes))
        body = payloads.saying("NONCE" + text).split(b"NONCE")
        self.first = head(key, sum(map(len, body)) + 16) + body[0]
        self.last = body[1]

    def request(self) -> list[bytes]:
        self.number += 1
        return [self.first, NONCE % self.number, self.last]

    def begin(self, due: float) -> None:
        task = asyncio.get_running_loop().create_task(self.call(due))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def call(self, due: float) -> None:
        """One that needs a connection of its own."""
        loop = asyncio.get_running_loop()
        if self.open >= CONNECTIONS:
            self.result.unsent += 1
            return
        self.open += 1
        try:
            _, made = await loop.create_connection(lambda: Connection(self), "127.0.0.1", self.port)
        except OSError as error:
            self.open -= 1
            self.result.note(type(error).__name__)
            return
        made.send(due, self.request())

    def answered(self, connection: Connection, top: bytes) -> None:
        took_ms = (time.perf_counter() - connection.due) * 1e3
        connection.due = 0.0
        self.waiting -= 1
        status, result = top[9:12], self.result
        closes = b"\r\nconnection: close" in top
        if status == b"200":
            result.good_ms.append(took_ms)
            result.closing += closes
        elif status == b"503":
            result.shed_ms.append(took_ms)
            result.without_retry_after += b"\r\nretry-after: " not in top
        else:
            result.note(f"status {status.decode()}")
        if closes:
            connection.transport.close()
            if self.closed:
                self.begin(time.perf_counter())
        elif self.closed:
            connection.send(time.perf_counter(), self.request())
        else:
            self.idle.append(connection)


async def drive(load: Load, rate: float, seconds: float) -> Result:
    """Calls for `seconds`, and their answers."""
    dice, lates = random.Random(load.port), []
    cpu, begun = time.process_time(), time.perf_counter()
    if load.closed:
        for _ in range(CLOSED):
            await load.call(time.perf_counter())
        await asyncio.sleep(seconds)
        load.closed = False
    due = begun
    while not load.closed and rate and due < begun + seconds:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        now = time.perf_counter()
        while due <= now:
            lates.append(now - due)
            if load.idle:
                load.idle.pop().send(due, load.request())
            else:
                load.begin(due)
            due += dice.expovariate(rate)
    load.result.seconds = time.perf_counter() - begun
    load.result.cores = (time.process_time() - cpu) / load.result.seconds
    with suppress(TimeoutError):
        async with asyncio.timeout(ANSWER_S):
            while load.waiting or load.tasks:
                await asyncio.sleep(0.01)
    if load.waiting:
        load.result.other["no answer"] = load.waiting
    load.result.late_ms = sorted(lates)[int(0.99 * len(lates))] * 1e3 if lates else 0.0
    return load.result


def main(port: str, key: str, text_bytes: str, rate: str, seconds: str, out: str) -> None:
    take_limits()
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    load = Load(int(port), key, int(text_bytes), closed=float(rate) == 0)
    found = uvloop.run(drive(load, float(rate), float(seconds)))
    Path(out).write_text(json.dumps(asdict(found)))


if __name__ == "__main__":
    main(*sys.argv[1:])
