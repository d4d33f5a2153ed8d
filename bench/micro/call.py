"""A whole call through the rooms of a real worker, with the sockets on both sides taken away: what the gateway's own
work costs, journal and flight table included. The server is a stand-in that has the body ready; the upstream answers
in the next turn of the loop with the answer of the fixed upstream."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterator
from contextvars import Context, copy_context
from pathlib import Path
from typing import Any

import uvloop

from bench.load import payloads
from bench.load.gateway import KEY
from fastgate import snapshot as snapshots
from fastgate._core.pump import Pump
from fastgate.board import Board
from fastgate.gateway.app import App
from fastgate.gateway.opening import scheduling
from fastgate.gateway.upstream import Pool
from fastgate.gateway.worker import Worker
from fastgate.keys import digest, ensure_pepper
from fastgate.prices.catalog import compile_prices
from fastgate.prices.settings import PriceSettings
from fastgate.state import StateDir

TURN = 64
"""Calls in flight at once: the connections of the load suite's first row."""

ANSWER = (
    "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Mon, 23 Nov 2026 21:12:00 GMT\r\nContent-Type: application/json\r\n"
    f"Content-Length: {len(payloads.ANSWER_JSON)}\r\nConnection: keep-alive\r\n\r\n{payloads.ANSWER_JSON}"
).encode()


class Upstream:
    """The transport of a connection whose other end has answered by the next turn of the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, pump: Pump) -> None:
        self.loop, self.pump = loop, pump

    def get_extra_info(self, name: str) -> None:
        return None

    def get_write_buffer_size(self) -> int:
        return 0

    def writelines(self, parts: tuple[bytes, bytes]) -> None:
        self.loop.call_soon(self.pump.data_received, ANSWER)

    def abort(self) -> None: ...


class Scope:
    """What the server says of a request. Headers as a real one gives them: in lower case, with what it adds."""

    path, method, query_string, client = "/v1/messages", "POST", "beta=true", "127.0.0.1:40000"
    authority = None

    def __init__(self, body: bytes) -> None:
        sent = {**payloads.HEADERS, "x-api-key": KEY, "host": "127.0.0.1:8080", "content-length": str(len(body))}
        self._items = [(name.lower(), value) for name, value in sent.items()]
        self.headers = self

    def items(self) -> list[tuple[str, str]]:
        return [(name, value) for name, value in self._items]


class Reading:
    """The server's future of a body, which tells of it in the next turn of the loop."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def __await__(self) -> Iterator[None]:
        return self._body
        yield

    def done(self) -> bool:
        return False

    def result(self) -> bytes:
        return self._body

    def add_done_callback(self, told: Callable[[Reading], object], context: Context) -> None:
        asyncio.get_running_loop().call_soon(told, self, context=context)


class Server:
    """The server's side of one request."""

    status = 0

    def __init__(self, body: bytes) -> None:
        self._body = body

    def __call__(self) -> Reading:
        return Reading(self._body)

    def client_disconnect(self) -> asyncio.Future[None]:
        return asyncio.get_running_loop().create_future()

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status, self.headers, self.body_sent = status, headers, body


class Client:
    """What the server knows of a client that sends `left` calls, one after the other."""

    def __init__(self, scope: Scope, server: Server, left: int) -> None:
        self.scope, self.proto, self.left = scope, server, left
        self.task: asyncio.Task[None] | None = None
        self.schedule: Callable[[Client], None]
        self.served = asyncio.get_running_loop().create_future()

    def taskref(self, task: asyncio.Task[None]) -> None:
        self.task = task

    def done(self) -> None:
        self.left -= 1
        if self.left:
            self.schedule(self)
        else:
            self.served.set_result(None)

    def err(self, error: BaseException) -> None:
        self.served.set_exception(error)


def refuse(client: Client) -> None:
    raise RuntimeError("a call of the bench was not taken as a plain one")


async def serve(app: App, clients: list[Client], status: int = 200) -> None:
    """All calls of `clients`, theirs one after the other, as the server brings them. All must be answered with
    `status`; 0: with any."""
    schedule = scheduling(app, asyncio.get_running_loop(), copy_context(), refuse)  # type: ignore[arg-type]  # by shape
    for client in clients:
        client.schedule = schedule  # type: ignore[assignment]
        client.schedule(client)
    await asyncio.gather(*(client.served for client in clients))
    if status and any(client.proto.status != status for client in clients):
        raise RuntimeError(f"a call of the bench was not answered with {status}")


async def _dial(pool: Pool) -> Pump:
    pump = Pump(pool.loop)
    pump.connection_made(Upstream(pool.loop, pump))
    return pump


def make_app(folder: Path, loop: asyncio.AbstractEventLoop, **changes: Any) -> App:
    """An App with a real worker whose state lies in `folder`; `changes` are fields of its snapshot."""
    state = StateDir(folder / "state")
    state.create()
    pepper = ensure_pepper(state.pepper)
    board = Board.open(state.board)
    row = snapshots.KeyRow(
        digest(pepper, KEY), "alice-laptop", "alice", "platform", "acme", "CC-1001", {}, ("claude-*",), 0
    )
    endpoint = snapshots.Endpoint(
        "mock", "anthropic", "http://127.0.0.1:9", "bench-provider-key", "x-api-key", "2023-06-01", False, ""
    )
    limits = snapshots.Limits(32 << 20, 30.0, 5.0, 30.0, 30.0, 15.0, 10.0, 55.0, "seen")
    fields: dict[str, Any] = {
        "generation": 1,
        "version": hashlib.sha256(b"bench").hexdigest()[:12],
        "headers": snapshots.HeaderNames(),
        "limits": limits,
        "endpoints": (endpoint,),
        "keys": [row],
        "prices": compile_prices(PriceSettings()),
    }
    state.snapshot.write_bytes(snapshots.encode(snapshots.SnapshotData(**fields | changes)))
    board.generation = 1
    app = App()
    app.worker = Worker(state, loop)
    return app


def seconds_of(folder: Path, calls: int, body: bytes, **changes: Any) -> float:
    """How long `calls` calls with `body` take, TURN at once."""
    Pool.dial = _dial  # type: ignore[method-assign]
    scope = Scope(body)

    async def run() -> float:
        app = make_app(folder, asyncio.get_running_loop(), **changes)
        clients = [Client(scope, Server(body), calls // TURN) for _ in range(TURN)]
        begun = time.process_time()
        await serve(app, clients)
        return time.process_time() - begun

    return uvloop.run(run())


if __name__ == "__main__":
    import sys
    import tempfile

    count = int(sys.argv[1]) if len(sys.argv) > 1 else 64_000
    for _ in range(3):
        with tempfile.TemporaryDirectory() as place:
            print(f"{seconds_of(Path(place), count, payloads.body('small', False)) / count * 1e6:.2f} us a call")
