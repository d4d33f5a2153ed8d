"""A cap is a cap: hundreds of calls at once over four workers against a budget for a hundred of them.

The oracles are the upstream's own log, priced anew, and samples of the counters taken all the while.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from fastgate._core.request import read_request
from fastgate.bound import bound_nano
from tests.support.burst import BOOK, MODEL, Answer, Probe, billed, request, until_decided
from tests.support.gateway import Gateway, serving
from tests.support.plane import LIMITS
from tests.support.sim import SimProcess, running

CALLS = 512
WORTH = 100
"""Calls' bounds that the budget pays for."""
LEAST = 95
"""Of them that have to be spent before anyone is refused for good."""
MAX_TOKENS = 400
SAMPLES_MIN = 100
"""Of the counters, one every few milliseconds while the calls are decided."""

BUDGET = """\
budgets:
  - {{id: cap, level: team, of: platform, period: total, usd: {usd}, stages: [{{at: 1.0, do: pause}}]}}
  - {{id: wide, level: org, of: acme, period: month, usd: 100000}}
"""
SPENT = re.compile(r"\$([0-9.]+) of \$([0-9.]+) are spent")


def body(tokens: int) -> bytes:
    """All of one length, so that all have one bound."""
    return request(f"[[sim:text tokens={tokens}]]".ljust(30), MAX_TOKENS)


BOUND = bound_nano(read_request(body(1)), BOOK.row("anthropic", MODEL), MAX_TOKENS, LIMITS)


def usd(nano: int) -> str:
    return f"{Decimal(nano) / 10**9:.9f}"


async def storm(port: int) -> list[Answer]:
    bodies = [body(random.randint(1, MAX_TOKENS)) for _ in range(CALLS)]
    return await asyncio.gather(*(until_decided(port, each) for each in bodies))


def one_run(gateway: Gateway, simulator: SimProcess) -> None:
    ceiling = WORTH * BOUND
    with Probe(gateway.directory / "fastgate-data" / "counters.sqlite", "cap") as probe:
        answers = asyncio.run(storm(int(gateway.url.rpartition(":")[2])))
    spent = probe.at_rest()
    statuses = Counter(answer.status for answer in answers)
    print(f"{dict(statuses)}, spent {spent / BOUND:.2f} bounds, {len(probe.samples)} samples")
    assert set(statuses) <= {200, 429}, statuses
    assert len(probe.samples) >= SAMPLES_MIN
    assert LEAST * BOUND <= max(sum(sample) for sample in probe.samples) <= ceiling, "more was granted than there is"
    assert spent <= ceiling
    calls = [call for call in simulator.settled(statuses[200]) if call.started.status == 200]
    assert len(calls) == statuses[200]
    assert spent == billed(calls), "the counters are not the upstream's log"
    assert spent >= LEAST * BOUND
    for answer in answers:
        if answer.status == 429:
            kind, message = answer.error
            assert kind == "billing_error", message
            found = SPENT.search(message)
            assert found is not None, message
            told = int(Decimal(found[1]) * 10**9)
            assert told + BOUND + 10**5 > ceiling, f"refused for good while it fitted: {message}"


@pytest.mark.promise("P-02", bound="X = 0: 512 calls at once over 4 workers, a cap worth 100 of them")
@pytest.mark.timeout(180)
def test_a_cap_is_a_cap(tmp_path: Path) -> None:
    run(tmp_path)


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("number", range(10))
def test_a_cap_is_a_cap_ten_times(tmp_path: Path, number: int) -> None:
    run(tmp_path)


def run(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print(f"FASTGATE_SEED={seed}")
    random.seed(seed)
    budgets = BUDGET.format(usd=usd(WORTH * BOUND))
    with (
        running(tmp_path / "sim", "--no-memory-log") as simulator,
        serving(tmp_path / "gw", simulator.url, 4, budgets=budgets) as gateway,
    ):
        one_run(gateway, simulator)
