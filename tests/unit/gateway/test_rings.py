"""A call is freed when it is over: it leaves no ring of objects for the collector to look for."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from granian._granian import RSGIProtocolClosed

from bench.load import payloads
from bench.micro import call as micro
from fastgate import snapshot as snapshots
from fastgate._core.pump import Pump
from fastgate.call import Call
from fastgate.errors import Kind, endpoint_down
from fastgate.gateway.upstream import Pool
from tests.unit.gateway.test_adopting import alone

CALLS = 20

GUARDED = {"guards": (snapshots.GuardRow("secrets", "redact"), snapshots.GuardRow("dangerous-commands", "block"))}


NO_BODY_S = snapshots.Limits(32 << 20, 0.0, 5.0, 30.0, 30.0, 15.0, 10.0, 55.0, "seen", attempts=1)


@pytest.mark.parametrize("changes", [{}, GUARDED], ids=["plain", "guarded"])
@pytest.mark.parametrize("way", ["without a task", "as a task"])
def test_a_call_that_is_over_is_freed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], way: str
) -> None:
    monkeypatch.setattr(Pool, "dial", micro._dial)

    async def run() -> int:
        app = micro.make_app(tmp_path, asyncio.get_running_loop(), **changes)
        body = payloads.body("small", False)
        server, scope = micro.Server(body), micro.Scope(body)
        gc.collect()
        gc.disable()
        try:
            for _ in range(CALLS if way == "as a task" else 0):
                await app.__rsgi__(scope, server)
                assert server.status == 200
            if way == "without a task":
                await micro.serve(app, [micro.Client(scope, server, CALLS)])
            return sum(isinstance(thing, Call) for thing in gc.get_objects())
        finally:
            gc.enable()
            app.worker.close()

    assert alone(run) <= 1


class Silent(micro.Server):
    """A client that begins a chunked body and sends nothing more."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()


class Gone(micro.Server):
    """A client that leaves within its body."""

    async def __call__(self) -> bytes:
        raise RSGIProtocolClosed


class Chunked(micro.Scope):
    def items(self) -> list[tuple[str, str]]:
        return [*(pair for pair in super().items() if pair[0] != "content-length"), ("transfer-encoding", "chunked")]


class Stranger(micro.Scope):
    def items(self) -> list[tuple[str, str]]:
        return [(name, "sk-no-key" if name == "x-api-key" else value) for name, value in super().items()]


async def _refused(pool: Pool) -> Pump:
    raise endpoint_down(Kind.CONNECT, "nobody listens")


REFUSALS: dict[str, tuple[type[micro.Scope], type[micro.Server], bytes, int]] = {
    "a body that takes too long": (Chunked, Silent, b"", 408),
    "a client that leaves within its body": (micro.Scope, Gone, b"{}", 499),
    "a stranger who leaves within his body": (Stranger, Gone, b"{}", 499),
    "a stranger": (Stranger, micro.Server, b"{}", 401),
    "no JSON": (micro.Scope, micro.Server, b"{", 400),
    "no upstream": (micro.Scope, micro.Server, payloads.body("small", False), 529),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_call_that_was_refused_is_freed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: str) -> None:
    """Its connection lives as long as the call, and an idle worker's collector has no reason to run."""
    monkeypatch.setattr(Pool, "dial", _refused)
    scope_of, server_of, body, status = REFUSALS[refusal]

    async def run() -> int:
        app = micro.make_app(tmp_path, asyncio.get_running_loop(), limits=NO_BODY_S)
        gc.collect()
        gc.disable()
        try:
            server = server_of(body)
            await app.__rsgi__(scope_of(body), server)
            assert server.status == status
            del server
            await asyncio.sleep(0)  # what was cancelled is let go of by the next turn of the loop
            return sum(isinstance(thing, Call) for thing in gc.get_objects())
        finally:
            gc.enable()
            app.worker.close()

    assert alone(run) == 0
