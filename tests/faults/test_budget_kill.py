"""kill -9 of workers with money in their hands, and one that is frozen past its lease: not a nano-dollar is lost,
nothing is charged twice, and the cap holds all the while.

The oracles: the records, which tests/faults/test_worker_kill.py holds against the upstream's own log, and the log.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from fastgate.gateway.lending import LEASE_NS
from tests.faults.test_worker_kill import records_of, workers_of
from tests.support.burst import Probe, billed, post, request
from tests.support.gateway import Gateway, serving
from tests.support.sim import SimProcess, running

KILLS = 100
SHORT = 6
SENDERS = 24
WORKERS = 4

BUDGET = """\
budgets:
  - {id: cap, level: team, of: platform, period: total, usd: 0.4, stages: [{at: 1.0, do: pause}]}
  - {id: soft, level: user, of: alice, period: month, usd: 1000, mode: soft}
  - {id: wide, level: org, of: acme, period: month, usd: 100000}
"""
CEILING = 400_000_000

RESOLVED_S = LEASE_NS / 1e9 + 1
"""Within the lease time and a second, what a killed worker held is resolved."""


async def senders(port: int, stopped: asyncio.Event) -> Counter[int]:
    """Call without a pause until told to stop; a connection that dies is tried again."""
    answers: Counter[int] = Counter()

    async def one() -> None:
        while not stopped.is_set():
            tokens, gap = random.randint(5, 200), random.choice((0, 2, 10))
            text = f"[[sim:text tokens={tokens} gap_ms={gap}]]"
            try:
                answer = await post(port, request(text, 300, stream=random.random() < 0.5))
                answers[answer.status] += 1
                if answer.status == 429:
                    await asyncio.sleep(0.05)
            except (OSError, EOFError, asyncio.IncompleteReadError, TimeoutError, ValueError):
                answers[0] += 1
                await asyncio.sleep(0.02)

    await asyncio.gather(*(one() for _ in range(SENDERS)))
    return answers


async def killing(gateway: Gateway, kills: int) -> Counter[int]:
    stopped = asyncio.Event()
    load = asyncio.create_task(senders(int(gateway.url.rpartition(":")[2]), stopped))
    killed = 0
    while killed < kills:
        await asyncio.sleep(random.uniform(0.1, 0.4))
        workers = await asyncio.to_thread(workers_of, gateway)
        if workers:
            random.choice(workers).kill()
            killed += 1
        assert gateway.process.poll() is None, gateway.log_text()
    await asyncio.sleep(1)
    stopped.set()
    return await load


def cells_of(gateway: Gateway) -> dict[str, int]:
    db = sqlite3.connect(gateway.directory / "fastgate-data" / "counters.sqlite", timeout=10)
    try:
        return dict(db.execute("SELECT budget, sum(spent) FROM cells GROUP BY budget").fetchall())
    finally:
        db.close()


def one_run(gateway: Gateway, kills: int) -> None:
    with Probe(gateway.directory / "fastgate-data" / "counters.sqlite", "cap") as probe:
        answers = asyncio.run(killing(gateway, kills))
        ended = time.monotonic()
        probe.at_rest(RESOLVED_S)
        print(f"answers {dict(answers)}; all leases resolved after {time.monotonic() - ended:.1f} s")
    assert max(sum(sample) for sample in probe.samples) <= CEILING
    records = records_of(gateway.directory / "fastgate-data" / "journal")
    assert max(Counter(record.id for record in records).values()) == 1
    assert answers[200] > 10
    total = sum(record.cost_nano for record in records)
    deadline = time.monotonic() + 3
    while (spent := cells_of(gateway)) != {"cap": total, "soft": total, "wide": total}:
        assert time.monotonic() < deadline, f"{spent} is charged, {total} is recorded"
        time.sleep(0.05)
    assert total <= CEILING


def run(tmp_path: Path, kills: int) -> None:
    seed = random.randrange(1 << 32)
    print(f"FASTGATE_SEED={seed}")
    random.seed(seed)
    with (
        running(tmp_path / "sim", "--no-memory-log") as simulator,
        serving(tmp_path / "gw", simulator.url, WORKERS, budgets=BUDGET) as gateway,
    ):
        one_run(gateway, kills)


@pytest.mark.timeout(120)
def test_kills_lose_no_money(tmp_path: Path) -> None:
    run(tmp_path, SHORT)


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.promise(
    "P-01", bound=f"{KILLS} kills of 4 workers under budgets: charged is what is recorded, to the nano"
)
@pytest.mark.timeout(600)
def test_a_hundred_kills_lose_no_money(tmp_path: Path) -> None:
    run(tmp_path, KILLS)


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_frozen_workers_lease_stays_counted_and_its_work_is_applied_once(tmp_path: Path) -> None:
    with (
        running(tmp_path / "sim", "--no-memory-log") as simulator,
        serving(tmp_path / "gw", simulator.url, 2, budgets=BUDGET) as gateway,
    ):
        asyncio.run(freezing(gateway, simulator))


async def freezing(gateway: Gateway, simulator: SimProcess) -> None:
    port = int(gateway.url.rpartition(":")[2])
    long = request("[[sim:text tokens=400 gap_ms=20]]", 1000, stream=True)
    calls = [asyncio.create_task(post(port, long)) for _ in range(6)]
    await asyncio.sleep(0.7)
    frozen = busiest(gateway)
    os.kill(frozen.pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(RESOLVED_S)
        with Probe(gateway.directory / "fastgate-data" / "counters.sqlite", "cap") as probe:
            spent, leased = probe.look()
            states = states_of(gateway)
        assert "doubtful" in states.values(), states
        assert leased > 0, "time alone has freed money"
    finally:
        os.kill(frozen.pid, signal.SIGCONT)
    answers = await asyncio.gather(*calls)
    assert {answer.status for answer in answers} == {200}
    with Probe(gateway.directory / "fastgate-data" / "counters.sqlite", "cap") as probe:
        spent = await asyncio.to_thread(probe.at_rest)
    assert "doubtful" not in states_of(gateway).values()
    assert spent == billed(simulator.settled(6))


def states_of(gateway: Gateway) -> dict[str, str]:
    db = sqlite3.connect(gateway.directory / "fastgate-data" / "counters.sqlite", timeout=10)
    try:
        return dict(db.execute("SELECT epoch, state FROM workers").fetchall())
    finally:
        db.close()


def busiest(gateway: Gateway) -> psutil.Process:
    """A worker that has calls in flight: it is connected to somebody."""
    return max(workers_of(gateway), key=lambda worker: len(worker.net_connections()))
