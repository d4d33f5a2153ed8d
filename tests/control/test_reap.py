"""`fastgate budgets reap`: workers that were really killed, one that is frozen, and all of a gateway killed at once."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from fastgate.gateway.lending import LEASE_NS
from tests.support.admin import admin, until
from tests.support.burst import Probe, billed, post, request
from tests.support.command import fastgate
from tests.support.gateway import Gateway, serving
from tests.support.sim import SimProcess, running

BUDGET = """\
budgets:
  - {id: cap, level: team, of: platform, period: total, usd: 5, stages: [{at: 1.0, do: pause}]}
"""
LONG = "[[sim:text tokens=400 gap_ms=20]]"
"""Eight seconds of answer."""
EXPIRED_S = LEASE_NS / 1e9 + 2


def workers_of(gateway: Gateway) -> dict[str, int]:
    """Epoch and process of each live worker."""
    status, answer = admin(gateway, "GET", "/status")
    assert status == 200, answer
    return {worker["epoch"]: worker["pid"] for worker in answer["workers"]}


def reaped(gateway: Gateway, *words: str, code: int = 0) -> Any:
    done = gateway.cli("budgets", "reap", *words, "--json")
    assert done.code == code, (done.out, done.err)
    return done.json if code == 0 else done.error["message"]


def counters(gateway: Gateway) -> Path:
    return gateway.directory / "fastgate-data" / "counters.sqlite"


def leases_of(gateway: Gateway) -> dict[str, int]:
    db = sqlite3.connect(counters(gateway), timeout=10)
    try:
        query = "SELECT epoch, sum(nano) FROM leases WHERE nano > 0 GROUP BY epoch"
        return dict(db.execute(query).fetchall())
    finally:
        db.close()


def audited(gateway: Gateway) -> list[dict[str, Any]]:
    status, answer = admin(gateway, "GET", "/audit?limit=1000")
    assert status == 200
    return [event for event in answer["items"] if event["kind"] == "worker"]


async def streaming(gateway: Gateway) -> asyncio.Task[Any]:
    """A long call that is under way."""
    port = int(gateway.url.rpartition(":")[2])
    call = asyncio.create_task(post(port, request(LONG, 1000, stream=True)))
    await asyncio.sleep(0.7)
    return call


@pytest.mark.timeout(120)
def test_a_frozen_workers_lease_is_kept_and_charged_whole_only_when_told_to(tmp_path: Path) -> None:
    with (
        running(tmp_path / "sim", "--no-memory-log") as simulator,
        serving(tmp_path / "gw", simulator.url, 2, budgets=BUDGET) as gateway,
    ):
        asyncio.run(frozen(gateway, simulator))


async def frozen(gateway: Gateway, simulator: SimProcess) -> None:
    call = await streaming(gateway)
    (epoch,) = leases_of(gateway)
    pid = workers_of(gateway)[epoch]
    assert "it answers" in await asyncio.to_thread(reaped, gateway, epoch, code=1)
    assert "it answers" in await asyncio.to_thread(reaped, gateway, epoch, "--charge", code=1)
    os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(EXPIRED_S)
        told = await asyncio.to_thread(reaped, gateway)
        (kept,) = [item for item in told["items"] if item["worker"] == epoch]
        assert (kept["standing"], kept["done"], kept["pid"]) == ("frozen", "kept", pid)
        assert (told["freed"], told["charged"]) == ("0.000000000", "0.000000000")
        message = await asyncio.to_thread(reaped, gateway, epoch, code=1)
        assert message.startswith(f"worker {epoch} keeps $") and "its process is there" in message
        leased = leases_of(gateway)[epoch]
        told = await asyncio.to_thread(reaped, gateway, epoch, "--charge")
        assert told["charged"] == f"{leased / 1e9:.9f}"
        assert audited(gateway)[-1]["after"] == {"charged_nano": leased}
        with Probe(counters(gateway), "cap") as probe:
            assert probe.look() == (leased, 0)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert (await call).status == 200
    await asyncio.to_thread(until, lambda: len(workers_of(gateway).keys() - {epoch}) == 2, 20, "it is replaced")
    with Probe(counters(gateway), "cap") as probe:
        spent = await asyncio.to_thread(probe.at_rest)
    assert spent == leased > billed(simulator.settled(1)), "what the woken worker did comes out of what was charged"


@pytest.mark.timeout(90)
def test_a_killed_workers_lease_is_freed_at_once_and_audited(tmp_path: Path) -> None:
    with (
        running(tmp_path / "sim", "--no-memory-log") as simulator,
        serving(tmp_path / "gw", simulator.url, 2, budgets=BUDGET) as gateway,
    ):
        asyncio.run(killed(gateway))


async def killed(gateway: Gateway) -> None:
    call = await streaming(gateway)
    (epoch,) = leases_of(gateway)
    worker = psutil.Process(workers_of(gateway)[epoch])
    worker.kill()
    await asyncio.to_thread(until, lambda: over(worker), 5, "it is dead")
    status, told = await asyncio.to_thread(admin, gateway, "POST", "/budgets/reap", {})
    assert status == 200
    assert epoch not in leases_of(gateway), "it is dead: what it had leased is free when this answers"
    freed = [item for item in told["items"] if item["worker"] == epoch]
    # The gateway looks for itself twice a second, and may have been first.
    assert [(item["standing"], item["done"]) for item in freed] in ([], [("dead", "freed")])
    assert [event["id"] for event in audited(gateway)] == [item["worker"] for item in freed]
    assert "has leased nothing" in await asyncio.to_thread(reaped, gateway, epoch, code=1)
    assert admin(gateway, "POST", "/budgets/reap", {"charge": True})[0] == 400
    await asyncio.gather(call, return_exceptions=True)


@pytest.mark.timeout(90)
def test_after_all_of_a_gateway_was_killed_the_command_frees_what_was_leased(tmp_path: Path) -> None:
    with running(tmp_path / "sim", "--no-memory-log") as simulator:
        with serving(tmp_path / "gw", simulator.url, 2, budgets=BUDGET) as gateway:
            asyncio.run(all_killed(gateway))
        leased = leases_of(gateway)
        assert sum(leased.values()) > 0
        told = json.loads(fastgate("budgets", "reap", "--json", cwd=gateway.directory).out)
        assert {item["worker"]: item["done"] for item in told["items"]} == dict.fromkeys(leased, "freed")
        assert float(told["freed"]) > 0
        with Probe(counters(gateway), "cap") as probe:
            spent, left = probe.look()
        assert left == 0
        assert 0 < spent <= sum(leased.values())
        again = fastgate("budgets", "reap", cwd=gateway.directory)
        assert (again.code, again.out) == (0, "no worker has leased anything\n")


def over(process: psutil.Process) -> bool:
    """Whether a killed process is gone, its files closed. The thread that it began with is a zombie before the last of
    the others has ended, and until then its locks are held."""
    try:
        return not process.is_running() or (process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1)
    except psutil.NoSuchProcess:
        return True


async def all_killed(gateway: Gateway) -> None:
    call = await streaming(gateway)
    family = [*psutil.Process(gateway.process.pid).children(recursive=True), psutil.Process(gateway.process.pid)]
    for process in (family[-1], *family[:-1]):
        process.kill()
    await asyncio.gather(call, return_exceptions=True)
    deadline = time.monotonic() + 10
    while not all(over(process) for process in family):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
