"""Holds many open streams from a process of its own: `python -m tests.support.streams PORT COUNT [SOURCE]` opens them,
writes one line when all have begun, and closes them when its standard input ends. SOURCE is the loopback address to
connect from: one address has 28,000 ports.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time

from fastgate.proc import take_limits
from tests.support.plane import KEY, body

AT_ONCE = 50
"""Openings under way: streams come one after another, as developers do, not as a flood."""

STALL_S = 3600
DATA = json.dumps(body(f"[[sim:stall stall_at=3 stall_s={STALL_S}]]", stream=True)).encode()
REQUEST = f"POST /v1/messages HTTP/1.1\r\nhost: t\r\nx-api-key: {KEY}\r\ncontent-length: {len(DATA)}\r\n\r\n".encode()


async def hold(port: int, count: int, source: str) -> None:
    """Open, tell, wait, close."""
    writers: list[asyncio.StreamWriter] = []
    statuses: dict[str, int] = {}
    gate = asyncio.Semaphore(AT_ONCE)

    async def open_one() -> None:
        async with gate:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
            writer.write(REQUEST + DATA)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readuntil(b"event: message_start")
            statuses[head[9:12].decode()] = statuses.get(head[9:12].decode(), 0) + 1
            writers.append(writer)

    begun = time.monotonic()
    await asyncio.gather(*(open_one() for _ in range(count)))
    print(json.dumps({"statuses": statuses, "seconds": time.monotonic() - begun}), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for writer in writers:
        writer.close()


class Holder:
    """Such a process. `told` is its line; `release` closes the streams."""

    def __init__(self, port: int, count: int, source: str = "127.0.0.1") -> None:
        command = [sys.executable, "-m", "tests.support.streams", str(port), str(count), source]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.told: dict[str, object] = {}

    def wait(self) -> None:
        assert self.process.stdout is not None
        self.told = json.loads(self.process.stdout.readline() or b"{}")

    def release(self) -> None:
        self.process.communicate()


if __name__ == "__main__":
    take_limits()
    source = sys.argv[3] if len(sys.argv) > 3 else "127.0.0.1"
    asyncio.run(hold(int(sys.argv[1]), int(sys.argv[2]), source))
