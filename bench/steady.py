"""`python -m bench.steady PORT RATE SECONDS KEY`: calls at a steady rate, whatever comes of those before; started by
bench.slow.

Open loop: a call leaves when it is due, on any connection that is free, and waits for no other. The gaps are drawn, as
between callers who know nothing of each other. Writes one line of JSON: the time of every answer in ms, and how many
answers were not 200.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

import uvloop

from bench.load import payloads
from bench.load.processes import environ
from bench.probe import head

CONNECTIONS = 128
"""Far more than are ever busy at once at a modest rate: none waits for one."""

NICE = -10
"""Of this process, where it may: it must not wait for a core itself when an answer has come."""

WAIT_S = 30.0
"""For the process to end after its last call."""

HEAD_END = b"\r\n\r\n"


class Caller(asyncio.Protocol):
    """One connection, one call at a time."""

    def __init__(self, idle: list[Caller], times_ms: list[float]) -> None:
        self.idle, self.times_ms = idle, times_ms
        self.transport: Any = None
        self.sent = 0.0
        self.answer = b""
        self.refused = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.idle.append(self)

    def call(self, request: bytes) -> None:
        self.answer = b""
        self.sent = time.perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.answer += data
        top, mark, rest = self.answer.partition(HEAD_END)
        if mark and len(rest) >= length_of(top):
            self.times_ms.append((time.perf_counter() - self.sent) * 1e3)
            self.refused += not top.startswith(b"HTTP/1.1 200 ")
            self.idle.append(self)


def length_of(top: bytes) -> int:
    """The content-length that a head states. ValueError where there is none: then it is no answer of these servers."""
    lower = top.lower()
    begin = lower.index(b"content-length:") + len(b"content-length:")
    return int(lower[begin:].split(b"\r\n", 1)[0])


async def drive(port: int, rate: float, seconds: float, key: str) -> dict[str, Any]:
    """Calls for `seconds`, `rate` of them a second. RuntimeError when connections run out: then it was no modest rate,
    and the figures would say too little."""
    loop, dice = asyncio.get_running_loop(), random.Random(port)
    body = payloads.small(stream=False)
    request = head(key, len(body)) + body
    idle: list[Caller] = []
    times_ms: list[float] = []
    made = [await loop.create_connection(lambda: Caller(idle, times_ms), "127.0.0.1", port) for _ in range(CONNECTIONS)]
    due, end = loop.time(), loop.time() + seconds
    while due < end:
        await asyncio.sleep(due - loop.time())
        while due <= loop.time():
            if not idle:
                raise RuntimeError(f"{CONNECTIONS} calls at once: {rate:g} a second are too many for this server")
            idle.pop(0).call(request)
            due += dice.expovariate(rate)
    async with asyncio.timeout(WAIT_S):
        while len(idle) < CONNECTIONS:
            await asyncio.sleep(0.01)
    for transport, _ in made:
        transport.close()
    return {"times_ms": times_ms, "refused": sum(caller.refused for _, caller in made)}


def times_of(port: int, rate: float, seconds: float, key: str) -> list[float]:
    """What a process of its own measures, in ms. RuntimeError where a call failed."""
    command = [sys.executable, "-m", "bench.steady", str(port), str(rate), str(seconds), key]
    out = subprocess.run(
        command, check=False, capture_output=True, text=True, env=environ(), timeout=seconds + 2 * WAIT_S
    )
    if out.returncode != 0:
        raise RuntimeError(f"steady calls failed: {out.stderr.strip()[-500:]}")
    found = json.loads(out.stdout)
    if found["refused"]:
        raise RuntimeError(f"{found['refused']} of the steady calls were not answered with 200")
    times: list[float] = found["times_ms"]
    return times


if __name__ == "__main__":
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    print(json.dumps(uvloop.run(drive(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), sys.argv[4]))))
