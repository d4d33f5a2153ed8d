"""Slow oracle of fastgate._core.escrow: every grant, charge and return is kept, and what is free is worked out anew."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Account:
    granted: list[int] = field(default_factory=list)
    given_back: list[int] = field(default_factory=list)
    spent: list[int] = field(default_factory=list)
    holds: dict[int, int] = field(default_factory=dict)
    """What each call holds, by the call's number."""
    tight: int = 0

    @property
    def held(self) -> int:
        return sum(self.holds.values())

    @property
    def free(self) -> int:
        return sum(self.granted) - sum(self.given_back) - sum(self.spent) - self.held


@dataclass
class Book:
    """The accounts of one worker, by slot."""

    accounts: dict[int, Account] = field(default_factory=dict)

    def can_hold(self, slots: tuple[int, ...], nano: int, *, turn: bool = False) -> bool:
        return all(self.accounts[slot].free >= nano for slot in slots) and (
            turn or not any(self.accounts[slot].tight for slot in slots)
        )

    def hold(self, call: int, slots: tuple[int, ...], nano: int) -> None:
        for slot in slots:
            self.accounts[slot].holds[call] = self.accounts[slot].holds.get(call, 0) + nano

    def settle(self, call: int, slots: tuple[int, ...], cost: int) -> None:
        for slot in slots:
            del self.accounts[slot].holds[call]
            self.accounts[slot].spent.append(cost)
