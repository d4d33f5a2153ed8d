"""The ledger under any interleaving: workers, store and journal on a loop that draws every choice from a seed.

Calls are cancelled at any await, workers are killed and frozen, answers of the store are lost on the way. Whatever
happens: what is spent and what calls in flight may still spend never passes the ceiling, every call is decided, every
hold ends once, and in the end each cell's spend is what its calls have cost.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from fastgate._core.escrow import Hold
from fastgate.call import NO_CELLS
from fastgate.gateway.allowance import Allowances
from fastgate.gateway.lending import LEASE_NS, Lending
from fastgate.snapshot import BudgetRow, KeyRow
from fastgate.stores.errors import StoreError
from fastgate.stores.ledger_port import Charge
from tests.model.counters import Counters
from tests.support.schedule import ScheduleLoop

SCHEDULES = 10_000
SHORT = 150
"""Of them in every run of the suite; FASTGATE_SCHEDULES sets another number."""

CALLS = 8
WORKERS = 3
END_S = 60.0
REST_S = 2.5
"""Idle accounts go back within a second, and journals are applied."""
MOST_NANO = 30
"""The largest call; the budgets pay for a few of them."""


def budget(id: str, nano: int, level: Any, of: str, period: Any = "total") -> BudgetRow:
    rolling = 5 if period == "rolling" else 0
    stages = ((1_000_000, "pause"),)
    return BudgetRow(id, "acme", level, of, False, (), period, rolling, "UTC", 1, nano, True, stages, (), 1)


ROWS = (
    budget("tight", 70, "team", "platform"),
    budget("wide", 100_000, "org", "acme", "month"),
    budget("window", 90, "user", "alice", "rolling"),
)
CEILING = {row.id: row.usd_nano for row in ROWS}
ALICE = KeyRow(b"", "a", "alice", "platform", "acme", "", {}, (), 0)
BOB = KeyRow(b"", "b", "bob", "platform", "acme", "", {}, (), 0)


class Board:
    wanted_at_ns = 0


@dataclass
class Worker:
    """One incarnation: what it leased, and the calls it has told its journal of."""

    epoch: str
    world: World
    dead: bool = False
    frozen: bool = False
    journal: list[Charge] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    calls: int = 0

    def __post_init__(self) -> None:
        self.allowances = Allowances(self.world.loop.now_ns)
        self.allowances.adopt(ROWS)
        self.lending = Lending(self.allowances, self.epoch, self.world.store, self.run, self.world.board)

    async def run(self, work: Any, *arguments: Any) -> Any:
        """The store's thread: the work is done at some moment between question and answer, or not, or its answer is
        lost."""
        loop = self.world.loop
        await loop.pause(0.02)
        fate = loop.random.random()
        if fate < 0.02:
            raise StoreError("unusable", "before")
        done = work(*arguments)
        self.world.check()
        await loop.pause(0.02)
        if fate > 0.98:
            raise StoreError("unusable", "after")
        return done

    async def ticks(self) -> None:
        while True:
            await asyncio.sleep(0.05)
            if not self.frozen:
                self.lending.tick()

    async def call(self, who: KeyRow) -> None:
        loop, world = self.world.loop, self.world
        self.calls += 1
        n, cost, hold, cells = self.calls, 0, None, ()
        need = loop.random.randint(1, MOST_NANO)
        floor = loop.random.randint(1, need)
        try:
            await loop.pause(0.3)
            draw = self.allowances.draw(who, "", "claude-opus-5-5")
            if draw.named is not NO_CELLS:
                hold = self.allowances.escrow.hold(draw.cells, need)
            if hold is None:
                answer = await self.lending.obtain(n, draw, need, floor, loop.random.choice((0, 300_000_000)))
                hold = answer if isinstance(answer, Hold) else None
            world.decided += 1
            if hold is None:
                return
            cells = tuple(msgspec.msgpack.decode(draw.named))
            assert cells, "held, and nobody knows on what"
            world.holds[self.epoch, n] = (hold, [account.row.id for account in draw.accounts])
            world.check()
            cost = loop.random.randint(0, hold.nano)
            await loop.pause(0.5)
        finally:
            if hold is not None:
                assert hold.settle(cost), "a hold ended twice"
                world.holds.pop((self.epoch, n), None)
                world.spent(cells, cost)
                self.journal.append(Charge(self.epoch, cells, (), [(n, cost)]))
            world.check()


class World:
    """Everything of one schedule. `truth` is what the calls have cost, by budget."""

    def __init__(self, seed: int) -> None:
        self.loop = ScheduleLoop(seed)
        self.store = Counters()
        for row in ROWS:
            self.store.seed(row.id, 1, [])
        self.board = Board()
        self.holds: dict[tuple[str, int], tuple[Hold, list[str]]] = {}
        self.truth = dict.fromkeys(CEILING, 0)
        self.decided = 0
        self.workers = [Worker(f"w{number}", self) for number in range(WORKERS)]

    def spent(self, cells: tuple[int, ...], cost: int) -> None:
        for cell in cells:
            self.truth[self.store.key(cell).budget] += cost

    def check(self) -> None:
        """What is spent and what is in flight, of every budget, against its ceiling: of workers that are dead too."""
        for id, ceiling in CEILING.items():
            held = sum(hold.nano for hold, budgets in self.holds.values() if id in budgets)
            assert self.truth[id] + held <= ceiling, f"{id}: {self.truth[id]} spent and {held} held of {ceiling}"

    async def control(self) -> None:
        """The journal's consumer: in batches, now and then telling the store the same again; leases that run out; the
        end of those who are dead."""
        told: dict[str, int] = {}
        while True:
            await self.loop.pause(0.2)
            self.store.expire(self.loop.now_ns())
            for worker in self.workers:
                at = told.get(worker.epoch, 0)
                batch = worker.journal[max(0, at - self.loop.random.randint(0, 1)) :]
                self.store.apply(worker.epoch, (1, len(worker.journal), 0), False, batch)
                told[worker.epoch] = len(worker.journal)
                self.check()
                if worker.dead and not worker.tasks and worker.epoch in self.store.states:
                    self.store.release(worker.epoch)
            await asyncio.sleep(0.05)

    async def fate(self) -> None:
        """Cancels calls, kills a worker, freezes another past its lease and wakes it."""
        random = self.loop.random
        for _ in range(random.randint(0, 6)):
            await self.loop.pause(0.4)
            worker = random.choice(self.workers)
            deed = random.choice(("cancel", "cancel", "kill", "freeze"))
            if deed == "cancel" and worker.tasks:
                random.choice(sorted(worker.tasks, key=lambda task: task.get_name())).cancel()
            elif deed == "kill" and not worker.dead:
                worker.dead = worker.frozen = True
                for task in list(worker.tasks):
                    task.cancel()
            elif deed == "freeze" and not worker.frozen:
                worker.frozen = True
                self.loop.call_later(LEASE_NS / 1e9 + 1, self.wake, worker)

    def wake(self, worker: Worker) -> None:
        worker.frozen = worker.dead

    async def main(self) -> None:
        loop = self.loop
        background = [loop.create_task(self.control()), loop.create_task(self.fate())]
        background += [loop.create_task(worker.ticks()) for worker in self.workers]
        calls = []
        for number in range(CALLS):
            worker = loop.random.choice(self.workers)
            if worker.dead:
                continue
            task = loop.create_task(worker.call(loop.random.choice((ALICE, BOB))), name=f"{number:02d}")
            worker.tasks.add(task)
            task.add_done_callback(worker.tasks.discard)
            calls.append(task)
            await loop.pause(0.1)
        async with asyncio.timeout(END_S):
            for outcome in await asyncio.gather(*calls, return_exceptions=True):
                if isinstance(outcome, BaseException) and not isinstance(outcome, asyncio.CancelledError):
                    raise outcome
        frozen = any(worker.frozen and not worker.dead for worker in self.workers)
        await asyncio.sleep(REST_S + (LEASE_NS / 1e9 if frozen else 0))
        for task in background:
            assert not task.done() or task.exception() is None, task.exception()
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)

    def at_rest(self) -> None:
        for worker in self.workers:
            for account in worker.allowances.accounts.values():
                assert worker.allowances.escrow.holds(account.slot) == 0, "a hold that never ended"
                assert worker.allowances.escrow.held(account.slot) == 0
        for worker in self.workers:  # what lost answers have left leased ends with its worker, not before
            self.store.release(worker.epoch)
        for id, spent in self.truth.items():
            cells = self.store.cells(id, 1)
            assert sum(cell.figures.spent_nano for cell in cells) == spent
            assert sum(cell.figures.leased_nano + cell.figures.doubtful_nano for cell in cells) == 0


def run(seed: int) -> int:
    world = World(seed)
    try:
        world.loop.run_until_complete(world.main())
        world.at_rest()
    finally:
        world.loop.close()
    return world.decided


@pytest.mark.promise("P-10", bound=f"{SHORT} schedules in every run, {SCHEDULES} in make faults")
def test_no_interleaving_breaks_the_ledger() -> None:
    decided = check_all(range(int(os.environ.get("FASTGATE_SCHEDULES", str(SHORT)))))
    assert decided > SHORT, "nearly every call was cut off before anything was decided"


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_ten_thousand_interleavings() -> None:
    check_all(range(SHORT, SCHEDULES))


def check_all(seeds: range) -> int:
    decided = 0
    for seed in seeds:
        try:
            decided += run(seed)
        except BaseException:
            print(f"FASTGATE_SEED={seed}")
            raise
    return decided
