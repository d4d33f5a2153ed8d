"""Lending: how often the store is asked, and what goes back to it. A store in memory, real time."""

from __future__ import annotations

import asyncio
from collections import Counter
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgate._core.escrow import Hold
from fastgate.call import NO_CELLS
from fastgate.errors import GatewayError
from fastgate.gateway.allowance import IDLE_SCANS, SCAN_NS, Allowances
from fastgate.gateway.lending import LEASE_NS, SLICE_CALLS_MAX, Lending
from fastgate.gateway.rooms.hold import wait
from fastgate.selection import step_of
from fastgate.snapshot import BudgetRow, KeyRow
from fastgate.stores.ledger_port import Answer
from tests.model.counters import Counters

DAY_S = 86_400
USD = 1_000_000_000
BOUND = 2_560_000_000
"""Of a call by Claude Code to Opus: 128,000 tokens of output."""

ALICE = KeyRow(b"", "a", "alice", "platform", "acme", "", {}, (), 0)


def budget(id: str, usd: int, level: Any = "team", of: str = "platform") -> BudgetRow:
    stages = ((1_000_000, "pause"),)
    return BudgetRow(id, "acme", level, of, False, (), "total", 0, "UTC", 1, usd * USD, True, stages, (), 1)


class Board:
    wanted_at_ns = 0


class House:
    """One worker and its store. `now_ns` moves by hand."""

    def __init__(self, *rows: BudgetRow) -> None:
        self.now_ns = 1
        self.store = Counters()
        for row in rows:
            self.store.seed(row.id, row.created_ns, [])
        self.allowances = Allowances(lambda: self.now_ns)
        self.allowances.adopt(rows)
        self.lending = Lending(self.allowances, "w", self.store, self.run, Board())

    async def run(self, work: Any, *arguments: Any) -> Any:
        await asyncio.sleep(0)
        return work(*arguments)

    async def hold(self, n: int, nano: int = BOUND) -> Hold:
        draw = self.allowances.draw(ALICE, "", "claude-opus-5-5")
        held = self.allowances.escrow.hold(draw.cells, nano) if draw.named is not NO_CELLS else None
        if held is None:
            answer = await self.lending.obtain(n, draw, nano, nano, 0)
            assert isinstance(answer, Hold), answer
            held = answer
        return held

    async def tick(self) -> None:
        """As much time as between two looks at the accounts, and what follows from it."""
        self.now_ns += SCAN_NS
        self.lending.tick()
        while self.lending._task is not None:
            await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_far_from_a_ceiling_a_call_costs_no_access_to_the_store() -> None:
    house = House(budget("month", 40_000), budget("wide", 1_000_000, "org", "acme"))
    (await house.hold(1)).settle(40_000_000)
    first = house.lending.exchanges
    for n in range(2, 402):
        (await house.hold(n)).settle(40_000_000)
    assert house.lending.exchanges == first == 1


@pytest.mark.asyncio
async def test_many_calls_at_once_are_served_ahead_of_need() -> None:
    house = House(budget("month", 40_000))
    held = [await house.hold(1)]
    asked = []
    for n in range(2, 200):
        before = house.lending.exchanges
        held.append(await house.hold(n))
        asked.append(house.lending.exchanges - before)
        if n % 4 == 0:
            await house.tick()
    assert sum(asked) < 10, "the slices grow with what is asked of them"


class Meanwhile(House):
    """While the store is asked for the first time, calls come that need so much."""

    def __init__(self, *needs: int) -> None:
        super().__init__(budget("month", 40_000))
        self.needs = needs
        self.came: list[asyncio.Task[Hold]] = []
        self.asked: list[list[int]] = []
        """The calls that each exchange asks for."""
        self.returned: list[tuple[int, int]] = []

    async def run(self, work: Any, *arguments: Any) -> Any:
        _, returns, asks, *_ = arguments
        self.returned += returns
        self.asked.append([ask.call for ask in asks if ask.call])
        if not self.came:
            self.came = [asyncio.create_task(self.hold(100 + n, need)) for n, need in enumerate(self.needs)]
            await asyncio.sleep(0)  # they come
        return work(*arguments)


@pytest.mark.asyncio
async def test_who_comes_while_the_store_is_asked_has_of_what_it_granted_ahead() -> None:
    """Or as many would come while it is asked for those, and so on: all calls of a busy worker."""
    house = Meanwhile(*[BOUND] * 24)
    await asyncio.gather(*(house.hold(n) for n in range(1, 9)))
    await asyncio.gather(*house.came)
    assert house.asked[0] == list(range(1, 9)) and not any(house.asked[1:])
    assert house.returned == []


@pytest.mark.asyncio
async def test_of_those_who_come_meanwhile_none_goes_before_one_who_needs_more() -> None:
    house = Meanwhile(BOUND, 100 * BOUND, BOUND)
    await house.hold(1)
    await asyncio.gather(*house.came)
    assert house.asked[:2] == [[1], [101, 102]]


@pytest.mark.asyncio
async def test_slices_grow_up_to_a_limit() -> None:
    """What a worker has leased and not spent stays counted while it is stopped: that must not be half of a budget."""
    house = House(budget("month", 40_000))
    most = n = 0
    while n < 8 * SLICE_CALLS_MAX:
        n += 1
        (await house.hold(n, 1000)).settle(1000)
        if n % 512 == 0:
            await house.tick()
            (cell,) = house.store.cells("month", 1)
            most = max(most, cell.figures.leased_nano - n * 1000)
    limit = SLICE_CALLS_MAX * 1000
    assert limit / 2 <= most <= limit * 2, "what is left of the last when the next comes is in it"
    assert house.lending.exchanges < n / 200, "and are large enough"


@pytest.mark.asyncio
async def test_near_a_ceiling_the_last_dollar_can_be_spent() -> None:
    house = House(budget("small", 20))
    held = []
    while True:
        draw = house.allowances.draw(ALICE, "", "claude-opus-5-5")
        answer = await house.lending.obtain(len(held) + 1, draw, BOUND, BOUND, 0)
        if not isinstance(answer, Hold):
            assert answer is not None
            assert answer.verdict == "waits"
            break
        held.append(answer)
    assert len(held) == 20 * USD // BOUND


@pytest.mark.asyncio
async def test_an_idle_account_goes_back_whole() -> None:
    house = House(budget("month", 4000))
    (await house.hold(1)).settle(40_000_000)
    (cell,) = house.store.cells("month", 1)
    assert cell.figures.leased_nano > BOUND
    for _ in range(IDLE_SCANS + 1):
        await house.tick()
    (cell,) = house.store.cells("month", 1)
    assert cell.figures.leased_nano == 40_000_000, "only what was spent and is not charged yet stays leased"
    assert not house.allowances.accounts


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(-3 * DAY_S, 3 * DAY_S), st.integers(0, DAY_S)), min_size=1, max_size=10))
def test_a_period_has_its_money_once_wherever_the_wall_clock_is_put(moves: list[tuple[int, int]]) -> None:
    """(seconds by which the clock is put, seconds that pass): each call is held on the day that the clock shows, and
    of each day just what it has is spent, however often it is come back to."""
    asyncio.run(moving(moves))


async def moving(moves: list[tuple[int, int]]) -> None:
    row = msgspec.structs.replace(budget("day", 3), period="day", usd_nano=3 * BOUND)
    spent: Counter[int] = Counter()
    wall = [1_790_000_000 * USD]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fastgate.gateway.allowance.wall_ns", lambda: wall[0])
        house = House(row)
        for n, (put_s, passed_s) in enumerate(moves, 1):
            wall[0] += (put_s + passed_s) * USD
            house.now_ns += passed_s * USD
            await house.tick()
            draw = house.allowances.draw(ALICE, "", "claude-opus-5-5")
            (account,) = draw.accounts
            assert account.key.start_ns == step_of(row, wall[0])[0]
            answer = await house.lending.obtain(n, draw, BOUND, BOUND, 0)
            held = isinstance(answer, Hold)
            assert held == (spent[account.key.start_ns] < 3), "given twice, or lost"
            if isinstance(answer, Hold):
                answer.settle(BOUND)
                spent[account.key.start_ns] += 1


@pytest.mark.asyncio
async def test_the_account_that_a_call_waits_for_is_not_closed_before_the_loop_turns() -> None:
    """It was idle until now, and a look at the accounts comes before the call's next step."""
    house = House(budget("month", 40_000))
    (await house.hold(1)).settle(40_000_000)
    for _ in range(IDLE_SCANS):
        await house.tick()
    draw = house.allowances.draw(ALICE, "", "claude-opus-5-5")
    (account,) = draw.accounts
    call: Any = SimpleNamespace(waiting=None, watched=None)
    hold = asyncio.create_task(wait(call, house.lending, house.lending.queue(2, draw, BOUND, BOUND, 0)))
    for _ in range(IDLE_SCANS):
        house.now_ns += SCAN_NS
        house.lending.tick()
    assert house.allowances.by_slot[account.slot] is account
    assert isinstance(await hold, Hold)


@pytest.mark.asyncio
@pytest.mark.parametrize("first", ["money", "departure"])
async def test_a_call_whose_client_leaves_keeps_no_money(first: str) -> None:
    house = House(budget("month", 40_000))
    draw = house.allowances.draw(ALICE, "", "claude-opus-5-5")
    watched = asyncio.get_running_loop().create_future()
    call: Any = SimpleNamespace(waiting=None, watched=watched)
    waiter = house.lending.queue(1, draw, BOUND, BOUND, 0)
    waiting = asyncio.create_task(wait(call, house.lending, waiter))
    while not (waiter.future.done() if first == "money" else call.waiting):
        await asyncio.sleep(0)
    watched.set_result(None)
    call.waiting.cancel()  # as call.leave does
    with pytest.raises(GatewayError, match="client"):
        await waiting
    while house.lending._task is not None:
        await asyncio.sleep(0)
    (account,) = draw.accounts
    assert not house.allowances.escrow.holds(account.slot)
    assert not account.waiting


@pytest.mark.asyncio
async def test_a_lower_amount_calls_unused_money_back() -> None:
    house = House(budget("month", 4000))
    held = await house.hold(1)
    house.allowances.adopt((budget("month", 10),))
    await house.tick()
    (cell,) = house.store.cells("month", 1)
    assert cell.figures.leased_nano == BOUND, "what the call holds stays held"
    held.void()


@pytest.mark.asyncio
async def test_a_budget_that_is_gone_gives_everything_back() -> None:
    house = House(budget("month", 4000))
    (await house.hold(1)).settle(0)
    house.allowances.adopt(())
    await house.tick()
    await house.tick()
    (cell,) = house.store.cells("month", 1)
    assert cell.figures.leased_nano == 0


@pytest.mark.asyncio
async def test_who_waits_for_the_history_of_a_budget_that_is_removed_is_told_at_once() -> None:
    house = House(budget("month", 4000))
    house.allowances.adopt((budget("month", 4000), budget("new", 4000)))
    draw = house.allowances.draw(ALICE, "", "claude-opus-5-5")
    waiting = asyncio.create_task(house.lending.obtain(1, draw, BOUND, BOUND, 2 * USD))
    await asyncio.sleep(0.05)
    assert not waiting.done(), "its deadline has not come"
    house.allowances.adopt((budget("month", 4000),))
    answer = await asyncio.wait_for(waiting, 1)
    assert isinstance(answer, Answer) and answer.verdict == "unready"
    assert draw.accounts[answer.at].gone


@pytest.mark.asyncio
async def test_another_attempt_holds_more_or_is_not_made() -> None:
    house = House(budget("small", 6))
    held = await house.hold(1)
    draw = house.allowances.draw(ALICE, "", "claude-opus-5-5")
    assert await house.lending.extend(1, draw, held, BOUND)
    assert held.nano == 2 * BOUND
    assert not await house.lending.extend(1, draw, held, BOUND)
    assert held.settle(3 * BOUND)
    for _ in range(IDLE_SCANS + 1):
        await house.tick()
    (cell,) = house.store.cells("small", 1)
    assert cell.figures.leased_nano == 3 * BOUND, "the debt is what its charge will take"


@pytest.mark.asyncio
async def test_a_worker_that_was_charged_whole_spends_no_more() -> None:
    house = House(budget("month", 4000))
    held = await house.hold(1)
    house.store.expire(house.now_ns + LEASE_NS + 1)
    house.store.reap("w")
    await house.tick()
    await house.tick()
    for _ in range(5):
        await house.tick()
    assert house.lending.reaped
    draw = house.allowances.draw(ALICE, "", "claude-opus-5-5")
    assert house.allowances.escrow.hold(draw.cells, 1) is None
    assert await house.lending.obtain(2, draw, 1, 1, 0) is None
    held.settle(5)
