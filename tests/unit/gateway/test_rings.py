"""A call is freed when it is over: it leaves no ring of objects for the collector to look for."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path
from typing import Any

import pytest

from bench.load import payloads
from bench.micro import call as micro
from fastgate import snapshot as snapshots
from fastgate.call import Call
from fastgate.gateway.upstream import Pool
from tests.unit.gateway.test_adopting import alone

CALLS = 20

GUARDED = {"guards": (snapshots.GuardRow("secrets", "redact"), snapshots.GuardRow("dangerous-commands", "block"))}


@pytest.mark.parametrize("changes", [{}, GUARDED], ids=["plain", "guarded"])
def test_a_call_that_is_over_is_freed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]) -> None:
    monkeypatch.setattr(Pool, "dial", micro._dial)

    async def run() -> int:
        app = micro.make_app(tmp_path, asyncio.get_running_loop(), **changes)
        body = payloads.body("small", False)
        server, scope = micro.Server(body), micro.Scope(body)
        gc.collect()
        gc.disable()
        try:
            for _ in range(CALLS):
                await app.__rsgi__(scope, server)
                assert server.status == 200
            return sum(isinstance(thing, Call) for thing in gc.get_objects())
        finally:
            gc.enable()

    assert alone(run) <= 1
