"""What the simulated provider saw and sent: two lines a request, the oracle of every test about money and delivery.

A line is one `write()` on a file opened with O_APPEND, so that it is whole even when the simulator or the gateway is
killed, and several processes may share the file. All times of a line are of the machine's monotonic clock.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections import deque
from pathlib import Path
from typing import Literal

import msgspec

from fastgate import clock
from fastgate.sim.usage import NOTHING, Usage

MEMORY_LINES_MAX = 200_000
"""Lines kept for `GET /__sim/log`; older ones are dropped. A test's run is far below, a load test reads the file."""


class Started(msgspec.Struct, tag_field="kind", tag="start", kw_only=True):
    """A request arrived in full and its answer is decided; nothing has been sent. `usage` is what the whole answer
    bills: zeros where the answer is an error or the route is free."""

    id: str
    pid: int
    at_ns: int
    method: str
    path: str
    headers: list[tuple[str, str]]
    body_bytes: int
    body_sha256: str
    model: str = ""
    stream: bool = False
    session: str = ""
    turn: int = 0
    status: int = 200
    behaviour: dict[str, object] = {}
    usage: Usage = NOTHING
    connection: int = 0
    """Number of the connection it came on."""


class Ended(msgspec.Struct, tag_field="kind", tag="end", kw_only=True):
    """The answer is over. `sent_*` counts what the kernel had taken, `told` what that amounts to in tokens: the input
    classes once message_start is out, and the output of the events that are out whole."""

    id: str
    at_ns: int
    outcome: Literal["complete", "cut", "client_gone"]
    """complete: sent as meant (a refusal too). cut: a fault ended it. client_gone: the other side closed first."""
    status: int
    sent_bytes: int
    sent_events: int
    told: Usage = NOTHING
    gone_ns: int = 0
    """When the other side's close was seen; 0 where it did not close early."""


class Unread(msgspec.Struct, tag_field="kind", tag="unread", kw_only=True):
    """The other side left, or sent no HTTP, before a request was whole."""

    at_ns: int
    received_bytes: int
    reason: str


Line = Started | Ended | Unread

_encode = msgspec.json.Encoder().encode
decode_line = msgspec.json.Decoder(Line).decode


class Log:
    """Appends lines to a file, keeps them in memory, or both. `bodies` keeps each request body as FILE `{id}.json`."""

    def __init__(self, path: Path | None = None, *, memory: bool = True, bodies: Path | None = None) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644) if path else -1
        self._memory = memory
        self._bodies = bodies
        if bodies is not None:
            bodies.mkdir(parents=True, exist_ok=True)
        self.lines: deque[Line] = deque(maxlen=MEMORY_LINES_MAX)

    @property
    def enabled(self) -> bool:
        return self._memory or self._fd >= 0

    def add(self, line: Line) -> None:
        if self._fd >= 0:
            os.write(self._fd, _encode(line) + b"\n")
        if self._memory:
            self.lines.append(line)

    def keep_body(self, id: str, body: bytes) -> str:
        """Store the body where asked for; returns its SHA-256."""
        if self._bodies is not None:
            (self._bodies / f"{id}.json").write_bytes(body)
        return hashlib.sha256(body).hexdigest()

    @property
    def started(self) -> list[Started]:
        return [line for line in self.lines if isinstance(line, Started)]

    @property
    def ended(self) -> list[Ended]:
        return [line for line in self.lines if isinstance(line, Ended)]

    async def wait_ended(self, count: int, timeout_s: float = 5.0) -> list[Ended]:
        """The ended calls, once there are `count` of them."""
        deadline_ns = clock.mono_ns() + int(timeout_s * 1e9)
        while len(self.ended) < count:
            if clock.mono_ns() > deadline_ns:
                raise TimeoutError(f"{len(self.ended)} of {count} calls ended within {timeout_s} s")
            await asyncio.sleep(0.005)
        return self.ended

    def clear(self) -> None:
        self.lines.clear()

    def dump(self) -> bytes:
        """The lines in memory as JSON lines."""
        return b"".join(_encode(line) + b"\n" for line in self.lines)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def read_log(path: Path) -> list[Line]:
    """All whole lines of a log file."""
    data = path.read_bytes() if path.exists() else b""
    return [decode_line(line) for line in data.split(b"\n")[:-1] if line]
