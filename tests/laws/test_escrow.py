"""Laws of a worker's allowances, against the slow book: a hold takes from all its cells or from none, ends exactly once
however often it is ended, and nothing is made or lost on the way."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fastgate._core.escrow import MAX_NANO, Cells, Escrow, Hold
from tests.model.escrow import Account, Book

ACCOUNTS = 4
amounts = st.one_of(st.integers(0, 20), st.integers(0, MAX_NANO // 64))


class EscrowMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.escrow = Escrow(ACCOUNTS)
        self.book = Book()
        self.holds: dict[int, tuple[Hold, tuple[int, ...]]] = {}
        self.ended: list[Hold] = []
        self.stale: list[Cells] = []
        self.calls = 0

    @rule()
    def open(self) -> None:
        slot = self.escrow.open()
        if len(self.book.accounts) == ACCOUNTS:
            assert slot == -1
        else:
            assert slot not in self.book.accounts
            self.book.accounts[slot] = Account()

    def slots(self, data: st.DataObject) -> tuple[int, ...]:
        return tuple(data.draw(st.lists(st.sampled_from(sorted(self.book.accounts)), unique=True)))

    def slot(self, data: st.DataObject) -> int:
        chosen: int = data.draw(st.sampled_from(sorted(self.book.accounts)))
        return chosen

    @precondition(lambda self: self.book.accounts)
    @rule(data=st.data(), nano=amounts)
    def grant(self, data: st.DataObject, nano: int) -> None:
        slot = self.slot(data)
        self.escrow.grant(slot, nano)
        self.book.accounts[slot].granted.append(nano)

    @precondition(lambda self: self.book.accounts)
    @rule(data=st.data(), nano=amounts)
    def give_back(self, data: st.DataObject, nano: int) -> None:
        slot = self.slot(data)
        account = self.book.accounts[slot]
        taken = self.escrow.take_back(slot, nano)
        assert taken == max(0, min(nano, account.free))
        account.given_back.append(taken)

    @precondition(lambda self: self.book.accounts)
    @rule(data=st.data(), nano=amounts, turn=st.booleans())
    def hold(self, data: st.DataObject, nano: int, turn: bool) -> None:
        slots = self.slots(data)
        cells = self.escrow.cells(slots)
        hold = self.escrow.claim(cells, nano) if turn else self.escrow.hold(cells, nano)
        assert (hold is not None) == self.book.can_hold(slots, nano, turn=turn)
        if hold is not None:
            assert hold.live
            assert hold.nano == nano
            self.calls += 1
            self.book.hold(self.calls, slots, nano)
            self.holds[self.calls] = hold, slots

    @precondition(lambda self: self.holds)
    @rule(data=st.data(), nano=amounts)
    def extend(self, data: st.DataObject, nano: int) -> None:
        call = data.draw(st.sampled_from(sorted(self.holds)))
        hold, slots = self.holds[call]
        before = hold.nano
        fits = self.book.can_hold(slots, nano, turn=True)
        assert hold.extend(nano) == fits
        assert hold.nano == before + (nano if fits else 0)
        if fits:
            self.book.hold(call, slots, nano)

    @precondition(lambda self: self.holds)
    @rule(data=st.data(), cost=amounts, void=st.booleans())
    def end(self, data: st.DataObject, cost: int, void: bool) -> None:
        call = data.draw(st.sampled_from(sorted(self.holds)))
        hold, slots = self.holds.pop(call)
        assert hold.void() if void else hold.settle(cost)
        self.book.settle(call, slots, 0 if void else cost)
        self.ended.append(hold)

    @precondition(lambda self: self.ended)
    @rule(data=st.data(), cost=amounts)
    def ended_again_changes_nothing(self, data: st.DataObject, cost: int) -> None:
        hold = data.draw(st.sampled_from(self.ended))
        assert not hold.settle(cost)
        assert not hold.void()
        assert not hold.extend(cost)

    @precondition(lambda self: self.book.accounts)
    @rule(data=st.data(), on=st.booleans())
    def tighten(self, data: st.DataObject, on: bool) -> None:
        slot = self.slot(data)
        account = self.book.accounts[slot]
        if on or account.tight:
            self.escrow.tighten(slot, 1 if on else -1)
            account.tight += 1 if on else -1
        else:
            with pytest.raises(ValueError, match="not tight"):
                self.escrow.tighten(slot, -1)

    @precondition(lambda self: self.book.accounts)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        slot = self.slot(data)
        account = self.book.accounts[slot]
        if account.holds:
            with pytest.raises(ValueError, match="hold money"):
                self.escrow.close(slot)
            return
        self.stale.append(self.escrow.cells([slot]))
        assert self.escrow.close(slot) == account.free
        del self.book.accounts[slot]

    @precondition(lambda self: self.stale)
    @rule(data=st.data())
    def who_means_a_closed_account_gets_nothing(self, data: st.DataObject) -> None:
        cells = data.draw(st.sampled_from(self.stale))
        assert not self.escrow.fresh(cells)
        assert self.escrow.hold(cells, 0) is None
        assert self.escrow.claim(cells, 0) is None

    @invariant()
    def every_nano_dollar_is_somewhere(self) -> None:
        for slot, account in self.book.accounts.items():
            assert self.escrow.free(slot) == account.free
            assert self.escrow.held(slot) == account.held
            assert self.escrow.holds(slot) == len(account.holds)
            assert self.escrow.uses(slot) >= len(account.holds)


TestEscrow = EscrowMachine.TestCase


def opened(*grants: int) -> tuple[Escrow, Cells, list[int]]:
    escrow = Escrow()
    slots = [escrow.open() for _ in grants]
    for slot, nano in zip(slots, grants, strict=True):
        escrow.grant(slot, nano)
    return escrow, escrow.cells(slots), slots


def test_a_hold_that_one_cell_lacks_touches_none() -> None:
    escrow, cells, slots = opened(10, 9, 10)
    assert escrow.hold(cells, 10) is None
    assert [escrow.free(slot) for slot in slots] == [10, 9, 10]


def test_a_call_that_cost_more_than_its_hold_leaves_a_debt() -> None:
    escrow, cells, (slot,) = opened(10)
    hold = escrow.hold(cells, 10)
    assert hold is not None
    hold.settle(14)
    assert escrow.free(slot) == -4
    assert escrow.take_back(slot, 1) == 0
    assert escrow.hold(cells, 0) is None
    assert escrow.close(slot) == -4


def test_a_dry_account_is_named_once() -> None:
    escrow, cells, (slot, other) = opened(10, 100)
    escrow.watch(slot, 5)
    escrow.watch(other, 5)
    assert not escrow.dry
    first, second = escrow.hold(cells, 4), escrow.hold(cells, 4)
    assert first is not None
    assert second is not None
    assert escrow.dry
    assert escrow.dried() == [slot]
    assert not escrow.dry
    first.settle(4)
    assert escrow.dried() == []


def test_a_charge_beyond_all_reason_does_not_become_an_allowance() -> None:
    escrow, cells, (slot,) = opened(0)
    for _ in range(3):
        hold = escrow.hold(cells, 0) or escrow.claim(cells, 0)
        if hold is not None:
            hold.settle((1 << 63) - 1)
        assert escrow.free(slot) <= 0
    assert escrow.hold(cells, 0) is None


@pytest.mark.parametrize("wrong", [-1, MAX_NANO + 1, 1 << 70])
def test_amounts_outside_of_reason_are_refused(wrong: int) -> None:
    escrow, cells, (slot,) = opened(10)
    for ask in (escrow.hold, escrow.claim):
        with pytest.raises(ValueError, match="amount"):
            ask(cells, wrong)
    for change in (escrow.grant, escrow.take_back):
        with pytest.raises(ValueError, match="amount"):
            change(slot, wrong)


@pytest.mark.parametrize("wrong", [1.0, True, "1", None])
def test_no_float_touches_money(wrong: Any) -> None:
    escrow, cells, (slot,) = opened(10)
    with pytest.raises(TypeError):
        escrow.hold(cells, wrong)
    with pytest.raises(TypeError):
        escrow.grant(slot, wrong)


def test_slots_that_are_not_open_or_named_twice_are_refused() -> None:
    escrow, _, (slot,) = opened(1)
    with pytest.raises(ValueError, match="twice"):
        escrow.cells([slot, slot])
    for wrong in (slot + 1, -1, 1 << 20):
        with pytest.raises(ValueError, match="not open"):
            escrow.cells([wrong])


def test_nothing_is_held_on_no_cells() -> None:
    escrow = opened(10)[0]
    nothing: Any = None
    with pytest.raises(TypeError):
        escrow.hold(nothing, 1)
    with pytest.raises(TypeError):
        escrow.fresh(nothing)
