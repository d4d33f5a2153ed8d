"""What this worker may spend: its accounts on the cells of hard budgets, and what each kind of call draws on.

Far from a ceiling a call finds what it needs in its accounts and nothing here waits. Owns which accounts exist, how
long they last and what the response header says of them; asking the store for money is lending.py's. Must not know
requests, models' prices or answers.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from fastgate._core.escrow import MAX_NANO, Cells, Escrow
from fastgate.amounts import dollars
from fastgate.budgets import ceiling_nano, pause_ppm, stage_nano
from fastgate.call import NO_CELLS
from fastgate.clock import boot_ns, wall_ns
from fastgate.selection import Match, Selection, since_of, step_of
from fastgate.snapshot import BudgetRow, KeyRow, StageAction
from fastgate.stages import StageNote
from fastgate.stores.ledger_port import ONLY_THIS, CellKey, Figures

log = logging.getLogger("fastgate.allowance")

SCAN_NS = 500_000_000
"""How often accounts are looked over: who is idle, which period has ended, which ceiling has come down."""

IDLE_SCANS = 2
"""An account that was not used for so many looks is given back: then nothing is held where nothing happens, and a
developer who thinks for a second pays one access to the store for the next call."""

STEP_NS = 1_000_000_000
"""By how much the wall clock must have moved against the machine's own for periods to be looked up anew: far more than
a clock that is steered gains between two looks, and no more than anybody sees at the end of a day."""

TEXT_NS = 100_000_000
"""How old the figures of the response header may be: writing them costs as much as a hold."""

_encode = msgspec.msgpack.Encoder().encode

DRAWS_MAX = 16_384
"""Kinds of calls remembered; a client that invents models or sessions must not fill memory."""


class Account:
    """One cell of a hard budget as this worker draws on it. `number` is the store's, 0 until it has answered."""

    __slots__ = (
        "ceiling_nano", "end_ns", "extra_nano", "figures", "gone", "idle", "key", "number", "row", "since_ns", "slot",
        "step_nano", "until_ns", "uses", "waiting", "wanted",
    )  # fmt: skip

    def __init__(self, row: BudgetRow, cell: str, slot: int, step: tuple[int, int], until_ns: int) -> None:
        start_ns, end_ns = step
        self.row = row
        self.key = CellKey(row.id, row.created_ns, cell, start_ns)
        self.slot = slot
        self.since_ns = since_of(row, start_ns, end_ns) if row.period == "rolling" else ONLY_THIS
        self.end_ns = end_ns
        self.until_ns = until_ns
        self.ceiling_nano = min(ceiling_nano(row, wall_ns(), cell) or 0, MAX_NANO)
        self.figures = Figures()
        self.number = self.extra_nano = self.step_nano = self.uses = self.idle = self.waiting = 0
        self.wanted = self.gone = False


class Draw:
    """What one kind of call draws on. `accounts` are of the hard budgets among `matches`; `named` is how records name
    their cells, NO_CELLS until the store has numbered all. `stage` is the hardest stage in force and `staged` the
    budget it is of."""

    matches: list[Match]
    accounts: tuple[Account, ...]
    cells: Cells
    until_ns: int
    named: msgspec.Raw
    keys: list[CellKey]
    stage: StageAction | None
    staged: Match | None
    stages: tuple[str, ...]
    text: str
    text_ns: int
    version: int

    def __init__(self, matches: list[Match], accounts: tuple[Account, ...], cells: Cells, until_ns: int) -> None:
        self.matches = matches
        self.accounts = accounts
        self.cells = cells
        self.until_ns = until_ns
        self.named = NO_CELLS
        self.keys = []
        self.stage = None
        self.staged = None
        self.stages = ()
        self.text = ""
        self.text_ns = 0
        self.version = -1


_RANK: dict[StageAction | None, int] = {None: 0, "alert": 1, "downgrade": 2, "pause": 3}


class Allowances:
    """The accounts of one worker. `selection` is None while no budget is configured."""

    now: Callable[[], int]
    escrow: Escrow
    selection: Selection | None
    accounts: dict[CellKey, Account]
    by_slot: dict[int, Account]
    by_number: dict[int, Account]
    returns: list[tuple[int, int]]
    """What is to be given back at the next opportunity, by the store's numbers."""
    stages: Mapping[CellKey, StageNote]
    version: int
    _draws: dict[tuple[Any, ...], Draw]

    def __init__(self, now: Callable[[], int] = boot_ns) -> None:
        self.now = now
        self.escrow = Escrow()
        self.selection = None
        self.accounts = {}
        self.by_slot = {}
        self.by_number = {}
        self.returns = []
        self.stages = {}
        self.version = 0
        self._draws = {}
        self._by_session = False
        self._scan_ns = 0
        self._ahead_ns = wall_ns() - now()

    # -- configuration ----------------------------------------------------------------------------------------------

    def adopt(self, rows: Iterable[BudgetRow]) -> None:
        """New budgets are in force. What calls in flight hold stays held; accounts of budgets that are gone end."""
        self.selection = Selection(rows)
        if not self.selection.rows:
            self.selection = None
        known = {(row.id, row.created_ns): row for row in (self.selection.rows if self.selection else ())}
        for account in self.accounts.values():
            row = known.get(account.key[:2])
            account.gone = row is None or not row.hard
            account.row = row or account.row
        self._by_session = self.selection is not None and self.selection.by_session
        self._draws.clear()
        self._scan_ns = 0

    def set_stages(self, stages: Mapping[CellKey, StageNote]) -> None:
        """What the control plane has published."""
        self.stages = stages
        self.version += 1

    # -- calls ------------------------------------------------------------------------------------------------------

    def draw(self, who: KeyRow, session: str, model: str) -> Draw:
        """What such a call draws on now. Needs `selection`."""
        selection = self.selection
        assert selection is not None
        at = (who.key, who.given, model, session if self._by_session else "")
        draw = self._draws.get(at)
        now_ns = self.now()
        if draw is None or draw.until_ns <= now_ns or not self.escrow.fresh(draw.cells):
            if len(self._draws) >= DRAWS_MAX:
                self._draws.clear()
            draw = self._draws[at] = self._make(selection.matches(who, who.tags, session, model), now_ns)
        if draw.matches and (draw.version != self.version or draw.text_ns + TEXT_NS <= now_ns):
            self._describe(draw, now_ns)
        return draw

    def _make(self, matches: list[Match], now_ns: int) -> Draw:
        wall = wall_ns()
        accounts = []
        keys = []
        until_ns = now_ns + (1 << 62)
        for row, cell in matches:
            start_ns, end_ns = step_of(row, wall)
            keys.append(CellKey(row.id, row.created_ns, cell, 0 if row.period == "rolling" else start_ns))
            ends_ns = now_ns + (end_ns - wall)
            if row.hard:
                account = self._open(row, cell, (start_ns, end_ns), ends_ns)
                accounts.append(account)
                ends_ns = account.until_ns
            until_ns = min(until_ns, ends_ns)
        cells = self.escrow.cells([account.slot for account in accounts])
        draw = Draw(matches, tuple(accounts), cells, until_ns)
        draw.keys = keys
        self.number(draw)
        return draw

    def number(self, draw: Draw) -> None:
        """Take the store's numbers over once all are known: records name cells by them."""
        if all(account.number for account in draw.accounts):
            draw.named = named(draw)

    def _open(self, row: BudgetRow, cell: str, step: tuple[int, int], until_ns: int) -> Account:
        key = CellKey(row.id, row.created_ns, cell, step[0])
        account = self.accounts.get(key)
        if account is None:
            slot = self.escrow.open()
            if slot < 0:
                raise OverflowError("this worker has as many budget cells in use as it can account for")
            account = self.accounts[key] = self.by_slot[slot] = Account(row, cell, slot, step, until_ns)
        elif abs(account.until_ns - until_ns) > STEP_NS:  # the wall clock was put: the same period ends at another time
            account.until_ns = until_ns
        return account

    def _describe(self, draw: Draw, now_ns: int) -> None:
        """Stages in force and the header's text: the budget with the least left."""
        draw.version, draw.text_ns = self.version, now_ns
        draw.stage = draw.staged = None
        accounts = iter(draw.accounts)
        stages = []
        least: tuple[int, str, StageAction | None] | None = None
        for match, key in zip(draw.matches, draw.keys, strict=True):
            note = self.stages.get(key)
            stage = note.stage if note is not None else None
            if _RANK[stage] > _RANK[draw.stage]:
                draw.stage, draw.staged = stage, match
            if stage is not None:
                stages.append(f"{match.row.id}={stage}")
            spent_nano = note.spent_nano if note is not None else 0
            left_nano = self.left(next(accounts)) if match.row.hard else soft_left(match, spent_nano)
            if least is None or left_nano < least[0]:
                least = left_nano, match.row.id, stage
        draw.stages = tuple(stages)
        if least is not None:
            draw.text = f"{least[1]};remaining={dollars(max(least[0], 0))};stage={least[2] or 'ok'}"

    def left(self, account: Account) -> int:
        """What is left of a cell as far as this worker knows: neither spent nor held by anyone, itself included."""
        figures = account.figures
        free_nano = self.escrow.free(account.slot)
        return account.ceiling_nano - figures.settled_nano - figures.leased_nano + free_nano

    # -- time -------------------------------------------------------------------------------------------------------

    def scan(self) -> None:
        """Give back what is not used: of idle accounts, ended periods, budgets that are gone or allow less now."""
        now_ns = self.now()
        if now_ns < self._scan_ns:
            return
        self._scan_ns = now_ns + SCAN_NS
        wall = wall_ns()
        if abs(wall - now_ns - self._ahead_ns) > STEP_NS:  # it may be another period now; cells of that are the store's
            self._ahead_ns = wall - now_ns
            self._draws.clear()
        for account in list(self.accounts.values()):
            ceiling = min(ceiling_nano(account.row, wall, account.key.cell) or 0, MAX_NANO)
            over = account.gone or account.until_ns <= now_ns
            if over or ceiling < account.ceiling_nano:
                self.give_back(account)
            account.ceiling_nano = ceiling
            uses = self.escrow.uses(account.slot)
            busy = account.waiting or account.wanted or self.escrow.holds(account.slot)
            if busy or (uses != account.uses and not over):
                account.uses, account.idle = uses, 0
                continue
            account.idle += 1
            if over or account.idle >= IDLE_SCANS:
                self._close(account)

    def give_back(self, account: Account) -> None:
        """Everything that no call holds."""
        nano = self.escrow.take_back(account.slot, MAX_NANO)
        if nano and account.number:
            self.returns.append((account.number, nano))

    def _close(self, account: Account) -> None:
        nano = self.escrow.close(account.slot)
        if nano and account.number:
            self.returns.append((account.number, nano))  # a debt is settled by it: what it was for is charged
        del self.accounts[account.key], self.by_slot[account.slot]
        self.by_number.pop(account.number, None)


def named(draw: Draw) -> msgspec.Raw:
    """The store's numbers of its cells as records and slots have them: encoded once, not with every call."""
    return msgspec.Raw(_encode(tuple(account.number for account in draw.accounts)))


def soft_left(match: Match, spent_nano: int) -> int:
    """What is left until a soft budget's pause stage."""
    row, cell = match
    return stage_nano(row, pause_ppm(row.stages), wall_ns(), cell) - spent_nano
