"""What a call was made of is gone when it is over, whatever became of it: the live instances of every type of ours are
counted, the tasks, and for types that the collector does not know the blocks that are allocated."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.micro import call as micro
from fastgate._core.credit import locate_all
from fastgate.snapshot import GuardRow
from tests.support.plane import CACHE
from tests.support.ways import BODY, PLAIN, TASK, House, Streaming, house
from tests.unit.gateway.test_adopting import alone
from tests.unit.gateway.test_plain import LEAKY, SCRIPTS
from tests.unit.gateway.test_plain_streams import STREAM, STREAMS, Connection

ROUNDS = 15
WARM = 8
"""Rounds before: some things are made once, and tables grow."""

BLOCKS_A_CALL = 0.5
"""One object that each call leaks is one block a call. What the interpreter keeps in reserve comes and goes by some 150
blocks, a sixth of one for each of a thousand calls."""

BODIES = {"no JSON": b"{", "a key twice": b'{"model":"a","model":"b"}', "a secret": LEAKY}


async def every_outcome(of: House) -> int:
    """Calls, each on both ways: answered, refused, failed, streamed, cut off. How many."""
    cases: list[tuple[Any, list[bytes | None], bytes]] = []
    cases += [(micro.Server, script, BODY) for script in SCRIPTS.values()]
    cases += [(micro.Server, list(SCRIPTS["answered"]), body) for body in BODIES.values()]
    cases += [(Streaming, script, STREAM) for script in STREAMS.values()]
    for way in (TASK, PLAIN):
        for server_of, script, body in cases:
            for pool in of.worker.upstreams._pools.values():
                pool.breaker.succeeded()
            ended, _ = of.begin(way, server_of(body), script, body)
            await asyncio.wait_for(ended, 10)
    of.worker.records.write()
    del ended, server_of
    await asyncio.sleep(0)
    assert of.left() == (0, 0)
    return 2 * len(cases)


def living() -> Counter[str]:
    """Instances of our types, by type."""
    gc.collect()
    types = (type(thing) for thing in gc.get_objects())
    return Counter(
        f"{kind.__module__}.{kind.__qualname__}" for kind in types if kind.__module__.startswith("fastgate.")
    )


HOUSES: dict[str, dict[str, Any]] = {
    "plain": {},
    "guarded": {"guards": (GuardRow("secrets", "redact"),)},
    "cached": {"cache": CACHE},
}


@pytest.fixture
def nothing_said() -> Iterator[None]:
    """What is logged is kept for the report of a test."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.usefixtures("nothing_said")
@pytest.mark.promise("P-29", bound="calls in all outcomes leave no instance of any type of ours, no task, no block")
@pytest.mark.parametrize("name", HOUSES)
def test_a_call_leaves_no_object_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    async def run() -> None:
        with house(tmp_path, monkeypatch, **HOUSES[name]) as of, Connection() as connection:
            monkeypatch.setattr(micro.Scope, "client", connection.name)
            locate_all()
            for _ in range(WARM):
                await every_outcome(of)
            before, tasks, blocks = living(), len(asyncio.all_tasks()), sys.getallocatedblocks()
            calls = sum([await every_outcome(of) for _ in range(ROUNDS)])
            gc.collect()
            grown, after = (sys.getallocatedblocks() - blocks) / calls, living()
            print(f"{calls} calls, {grown:.2f} blocks more a call")
            assert after - before == before - after == Counter()
            assert len(asyncio.all_tasks()) == tasks
            assert grown < BLOCKS_A_CALL

    alone(run)
