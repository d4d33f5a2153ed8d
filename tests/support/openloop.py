"""An open-loop client: calls begin at a fixed rate, however many are still under way, each on a connection of its own.

A closed loop slows down with the server and hides its collapse.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from tests.support.plane import KEY

CALL_S = 20.0


@dataclass
class Outcome:
    """What came of the calls of one rate: seconds to the whole answer, by status; 0 for none."""

    seconds: dict[int, list[float]] = field(default_factory=dict)
    retry_after: int = 0

    def count(self, status: int) -> int:
        return len(self.seconds.get(status, []))

    def quantile(self, status: int, share: float) -> float:
        ordered = sorted(self.seconds[status])
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def one(port: int, data: bytes, outcome: Outcome) -> None:
    """A call to its end."""
    head = f"POST /v1/messages HTTP/1.1\r\nhost: t\r\nx-api-key: {KEY}\r\ncontent-length: {len(data)}\r\n\r\n".encode()
    begun, status, answer = time.monotonic(), 0, b""
    try:
        async with asyncio.timeout(CALL_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(head + data)
                answer = await reader.readuntil(b"\r\n\r\n")
                length = int(answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                await reader.readexactly(length)
                status = int(answer.split(b" ")[1])
            finally:
                writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        status = 0
    outcome.seconds.setdefault(status, []).append(time.monotonic() - begun)
    outcome.retry_after += b"\r\nretry-after: " in answer.lower()


async def at_rate(port: int, data: bytes, per_s: float, for_s: float) -> Outcome:
    """Calls at `per_s` for `for_s`, then until the last has ended."""
    outcome = Outcome()
    async with asyncio.TaskGroup() as tasks:
        begun, sent = time.monotonic(), 0
        while (now := time.monotonic() - begun) < for_s:
            while sent < now * per_s:
                tasks.create_task(one(port, data, outcome))
                sent += 1
            await asyncio.sleep(0.002)
    return outcome
