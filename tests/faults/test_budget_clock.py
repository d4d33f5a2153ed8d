"""The wall clock is put forward and back over the end of a period while the gateway runs (libfaketime): a period that
was used up is not opened again, no second allowance is made, leases run on the machine's own time, and what was spent
stands in the period in which it was held. The oracle is the upstream's own log.
"""

from __future__ import annotations

import asyncio
import glob
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fastgate.gateway.lending import LEASE_NS
from tests.support.admin import until
from tests.support.burst import Answer, billed, post, until_decided
from tests.support.gateway import Gateway, serving
from tests.support.money import Ledger, session_request
from tests.support.sim import Call, SimProcess, running

LIBRARY = next(iter(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")), "")
MODEL = "claude-haiku-5-5"
WORKERS = 2
HOUR_S = 3600
FOLLOWS_S = 2.0
"""A worker looks at the clock twice a second; the rest is for a busy machine."""
DAY_NS = 24 * HOUR_S * 10**9

CAP_NANO = 600_000

BUDGETS = """\
budgets:
  - {{id: cap, level: team, of: platform, period: day, tz: {tz}, usd: {usd}, stages: [{{at: 1.0, do: pause}}]}}
"""
SPENDS = session_request("clock", "[[sim:text tokens=190]]", 200, MODEL)
SLOW = session_request("clock", "[[sim:text tokens=60 gap_ms=100]]", 200, MODEL, stream=True)


class Clock:
    """The wall clock of the gateway's processes, so far off the machine's. Monotonic clocks are left alone."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.zone, self.midnight = zone_of_a_midnight_within_the_hour()

    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": LIBRARY,
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def put(self, after_midnight_s: float) -> None:
        """So far after the end of the day that the test begins in. Replaced whole, as readers look at any time."""
        offset_s = self.midnight + after_midnight_s - time.time()
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{offset_s:+.3f}\n")
        fresh.rename(self._file)


def zone_of_a_midnight_within_the_hour() -> tuple[str, float]:
    """A zone of whole hours and when its next day begins: the clock need not be put far off, which other parts of the
    gateway would rightly complain of."""
    now = datetime.now(UTC)
    ahead = (24 - (now.hour + 1)) % 24  # there it is midnight at the next full hour
    name = f"Etc/GMT-{ahead}" if ahead <= 14 else f"Etc/GMT+{24 - ahead}"
    return name, (now.timestamp() // HOUR_S + 1) * HOUR_S


@dataclass
class House:
    gateway: Gateway
    simulator: SimProcess
    clock: Clock
    ledger: Ledger

    @property
    def port(self) -> int:
        return int(self.gateway.url.rpartition(":")[2])

    def use_up(self) -> None:
        """Spend what the day has, to its last call: one refusal may be of a worker that has yet to see the day."""
        refused_since = time.monotonic()
        while time.monotonic() < refused_since + FOLLOWS_S:
            answer = self.decided()
            if answer.status == 429:
                assert answer.error[0] == "billing_error"
            else:
                refused_since = time.monotonic()
                assert billed(self.calls()) <= 2 * CAP_NANO, "the budget has no end"

    def decided(self) -> Answer:
        return asyncio.run(until_decided(self.port, SPENDS))

    def days(self) -> list[int]:
        """What is spent, by day."""
        return [nano for (nano,) in self.ledger.rows("SELECT spent FROM cells WHERE budget = 'cap' ORDER BY start_ns")]

    def calls(self) -> list[Call]:
        return [call for call in self.simulator.settled(0) if call.started.status == 200]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    if not LIBRARY:
        pytest.skip("libfaketime is not installed: make peers")
    clock = Clock(tmp_path)
    clock.put(-600)
    budgets = BUDGETS.format(tz=clock.zone, usd=CAP_NANO / 1e9)
    with (
        running(tmp_path / "sim") as simulator,
        serving(tmp_path / "gw", simulator.url, WORKERS, budgets=budgets, env=clock.environment()) as gateway,
    ):
        yield House(gateway, simulator, clock, Ledger(gateway))


@pytest.mark.faults
@pytest.mark.promise("P-09", bound="clocks put over a period's end and back: nothing is opened twice, leases run on")
@pytest.mark.timeout(180)
def test_a_clock_that_is_put_back_opens_no_period_again(house: House) -> None:
    house.use_up()
    first = len(house.calls())
    until(lambda: house.days() == [billed(house.calls())] and not house.ledger.leased(), 8, "the first day is charged")
    house.clock.put(60)
    until(lambda: house.decided().status == 200, FOLLOWS_S, "a new day has its own money")
    house.use_up()
    until(lambda: len(house.days()) == 2 and not house.ledger.leased(), 8, "the second day is charged")
    for seconds in (-300, 120, -7_200, 180):  # also by more than a lease lasts
        house.clock.put(seconds)
        end = time.monotonic() + FOLLOWS_S
        while time.monotonic() < end:
            answer = house.decided()
            assert answer.status == 429 and answer.error[0] == "billing_error", f"{seconds} s: opened again"
    calls = house.calls()
    assert house.days() == [billed(calls[:first]), billed(calls[first:])]


@pytest.mark.faults
@pytest.mark.timeout(180)
def test_money_in_use_is_neither_freed_nor_doubled_by_a_step(house: House) -> None:
    """A call that began before midnight is charged to that day though it ends in the next; its worker's lease is good
    while it answers, whatever the wall clock does, and not doubtful."""
    asyncio.run(stepping(house))


async def stepping(house: House) -> None:
    slow = asyncio.create_task(post(house.port, SLOW))
    await asyncio.to_thread(until, lambda: house.ledger.leased() > 0, 5, "money is leased")
    for seconds in (60, HOUR_S, -HOUR_S, 90):
        house.clock.put(seconds)
        await asyncio.sleep(0.3)
        assert "doubtful" not in house.ledger.states().values(), "a step of the clock is no silence"
        assert house.ledger.leased() > 0, "what a call in flight holds was given away"
    assert (await slow).status == 200
    other = await until_decided(house.port, SPENDS)
    assert other.status == 200
    await asyncio.to_thread(until, lambda: not house.ledger.leased(), LEASE_NS / 1e9, "all of it is charged")
    by_day = dict(house.ledger.rows("SELECT start_ns, spent FROM cells WHERE budget = 'cap' AND spent > 0"))
    streamed, whole = ([call for call in house.calls() if call.started.stream is stream] for stream in (True, False))
    midnight_ns = int(house.clock.midnight) * 10**9
    assert by_day == {midnight_ns - DAY_NS: billed(streamed), midnight_ns: billed(whole)}
