"""Asks the store for money and gives it back: one exchange at a time, off the loop, for all calls that wait.

Owns the queue of waiting calls and what an exchange says. A call that leaves while its money is on the way leaves the
money in the account: what the store has granted is never lost and never counted twice, whatever is cancelled. Knows
accounts (allowance.py), not requests or answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple, Protocol

from fastgate._core.escrow import Hold
from fastgate.asking import Questions
from fastgate.gateway.allowance import Account, Allowances, Draw
from fastgate.gateway.prefixes import Prefixes
from fastgate.gateway.waiter import Waiter
from fastgate.stores.errors import StoreError
from fastgate.stores.ledger_port import Answer, Ask, CellKey, Exchange, Part

log = logging.getLogger("fastgate.lending")

LEASE_NS = 10_000_000_000
"""How long leases are good without a word from their worker; after it they are doubtful until it speaks or is dead."""

RENEW_NS = 2_000_000_000
"""How often a worker speaks while it has leases: four times missed in a row make them doubtful, not one slow disk."""

RETRY_S = 0.02
"""How often a call that waits asks again. A twentieth of a second is what others take to give back."""

WANT_SLACK_NS = 1_000_000_000
"""A want stands this long after its call's deadline, so that a slow exchange does not lose its place in the queue."""

SLICE_CALLS = 8
"""Size of an account's first slice, in calls like the one that needed it. It doubles each time it runs dry."""

SLICE_CALLS_MAX = 8192
"""Of the largest: half of it lasts a worker at its full speed (some 20,000 calls a second) longer than it takes to get
the next, so that a larger one would only be more that stays counted while its worker is stopped."""

REFRESHED_MAX = 64
"""Accounts whose figures one renewal refreshes, for the response header."""


class Wants(Protocol):
    """What this needs of the notice board."""

    wanted_at_ns: int


class Lender(Protocol):
    """What this needs of the store (fastgate.stores.ledger_port.LedgerStore)."""

    def exchange(
        self,
        epoch: str,
        returns: Iterable[tuple[int, int]],
        asks: list[Ask],
        gone: Iterable[int],
        until_ns: int,
        now_ns: int,
    ) -> Exchange: ...

    def window(self, key: CellKey, since_ns: int) -> list[tuple[int, int]]: ...


class _Request(NamedTuple):
    """One exchange: who asked what. An owner that is no Waiter asked for a slice or for news."""

    returns: list[tuple[int, int]]
    asks: list[Ask]
    owners: list[Waiter | Account]
    gone: list[int]
    now_ns: int


class Lending:
    """The exchanges of one worker with the store. `run` calls a function off the loop."""

    def __init__(
        self,
        allowances: Allowances,
        epoch: str,
        store: Lender,
        run: Callable[..., Awaitable[Any]],
        wants: Wants,
    ) -> None:
        self.allowances = allowances
        self.prefixes = Prefixes()
        self.questions: Questions | None = None
        """What developers have asked for: a refusal says that it waits."""
        self.reaped = False
        """What this worker had leased was charged whole: it may spend no more and has to go."""
        self.exchanges = 0
        """How often the store was asked; what a test counts."""
        self._epoch = epoch
        self._store = store
        self._run = run
        self._wants = wants
        self._waiters: list[Waiter] = []
        self._gone: list[int] = []
        self._pressed: set[Account] = set()
        """Accounts that somebody waits for, here or at another worker: all that is free of them goes back."""
        self._thirsty: set[Account] = set()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._wanted_seen_ns = 0
        self._renew_ns = 0
        self._look = False

    # -- calls ------------------------------------------------------------------------------------------------------

    def queue(self, call: int, draw: Draw, need_nano: int, floor_nano: int, wait_ns: int) -> Waiter:
        """Have a call wait for a hold of `need_nano`, or of anything from `floor_nano` up once `wait_ns` are over or
        nothing else can be. It stands in the queue when this returns: `draw` was looked up in the same turn of the
        loop, and accounts that nobody waits for may be closed in the next. `served` must follow."""
        waiter = Waiter(
            call,
            draw,
            need_nano,
            floor_nano,
            self.allowances.now() + wait_ns,
            asyncio.get_running_loop().create_future(),
        )
        if self.reaped:
            waiter.future.set_result(None)
        self._enter(waiter)
        return waiter

    async def served(self, waiter: Waiter) -> Hold | Answer | None:
        """The hold, else what the store says against it. None: the store cannot be reached."""
        future = waiter.future
        try:
            answer: Hold | Answer | None = await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                hold = future.result()
                if isinstance(hold, Hold):
                    hold.void()  # it came as the call was leaving
            raise
        finally:
            self._leave(waiter)
        return answer

    async def obtain(
        self, call: int, draw: Draw, need_nano: int, floor_nano: int, wait_ns: int
    ) -> Hold | Answer | None:
        """`queue` and `served`, for one who has nothing to do in between."""
        return await self.served(self.queue(call, draw, need_nano, floor_nano, wait_ns))

    async def extend(self, call: int, draw: Draw, hold: Hold, nano: int) -> bool:
        """Hold `nano` more for another attempt; False where it cannot be had at once."""
        if hold.extend(nano):
            return True
        more = await self.obtain(call, draw, nano, nano, 0)
        if not isinstance(more, Hold):
            return False
        # Nothing awaits in between, so what the second hold frees is there for the first.
        more.void()
        return hold.extend(nano)

    async def window(self, account: Account) -> list[tuple[int, int]]:
        """(start, spent) of the steps of a rolling budget's window, oldest first. Raises StoreError."""
        steps: list[tuple[int, int]] = await self._run(self._store.window, account.key, account.since_ns)
        return steps

    def _enter(self, waiter: Waiter) -> None:
        self._waiters.append(waiter)
        for account in waiter.draw.accounts:
            account.waiting += 1
            self._pressed.add(account)
            self.allowances.escrow.tighten(account.slot, 1)
        self._kick()

    def _leave(self, waiter: Waiter) -> None:
        self._waiters.remove(waiter)
        for account in waiter.draw.accounts:
            account.waiting -= 1
            self.allowances.escrow.tighten(account.slot, -1)
            if not account.waiting and not account.wanted:
                self._pressed.discard(account)
        if not waiter.future.done() or waiter.future.cancelled():
            self._gone.append(waiter.call)

    # -- time -------------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Called every 50 ms: gives back what others wait for, tops up what runs dry, renews."""
        allowances = self.allowances
        now_ns = allowances.now()
        allowances.scan()
        if self._waits():
            self._wants.wanted_at_ns = now_ns
        if self._wants.wanted_at_ns != self._wanted_seen_ns:
            self._wanted_seen_ns = self._wants.wanted_at_ns
            self._look = True
        if allowances.escrow.dry:
            self._thirsty.update(allowances.by_slot[slot] for slot in allowances.escrow.dried())
        news = self._look or self._thirsty or self._pressed or now_ns >= self._renew_ns
        if (allowances.accounts and news) or allowances.returns or self._gone:
            self._kick()

    def _kick(self) -> None:
        self._wake.set()
        if self._task is None and not self.reaped:
            self._task = asyncio.get_running_loop().create_task(self._serve())

    async def _serve(self) -> None:
        """Exchanges until nobody waits and nothing is left to say."""
        try:
            while True:
                self._wake.clear()
                request = self._request()
                try:
                    exchange = await self._run(
                        self._store.exchange,
                        self._epoch,
                        request.returns,
                        request.asks,
                        request.gone,
                        request.now_ns + LEASE_NS,
                        request.now_ns,
                    )
                except StoreError as error:
                    self._unreachable(request, error)
                else:
                    self._credit(request, exchange)
                    if self.reaped:
                        return
                    # Who was served leaves first: what was granted ahead of need would be given back.
                    await asyncio.sleep(0)
                if self._waits():
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(RETRY_S):
                            await self._wake.wait()
                elif not (self.allowances.returns or self._gone or self._wake.is_set()):
                    return
        finally:
            self._task = None
            for waiter in self._waiters:  # none, unless this was cancelled or failed in a way nobody foresaw
                if not waiter.future.done():
                    waiter.future.set_result(None)

    def _waits(self) -> bool:
        """Whether some call is not decided yet."""
        return any(not waiter.future.done() for waiter in self._waiters)

    def _request(self) -> _Request:
        allowances = self.allowances
        now_ns = allowances.now()
        for account in self._pressed:
            allowances.give_back(account)
        returns, allowances.returns = allowances.returns, []
        gone, self._gone = self._gone, []
        owners: list[Waiter | Account] = [waiter for waiter in self._waiters if not waiter.future.done()]
        asks = [self._ask(waiter, now_ns) for waiter in owners if isinstance(waiter, Waiter)]
        for account in self._thirsty:
            if allowances.by_slot.get(account.slot) is account and not account.waiting and not account.wanted:
                owners.append(account)
                asks.append(self._ahead(account, now_ns))
        self._thirsty.clear()
        if now_ns >= self._renew_ns:
            self._renew_ns = now_ns + RENEW_NS
            for account in list(allowances.accounts.values())[:REFRESHED_MAX]:
                if account not in owners:
                    owners.append(account)
                    asks.append(Ask(0, (self._part(account, 0),), 0, 0, False, now_ns))
        self._look = False
        return _Request(returns, asks, owners, gone, now_ns)

    def _ask(self, waiter: Waiter, now_ns: int) -> Ask:
        waiter.asked = True
        for account in waiter.draw.accounts:
            account.step_nano = max(account.step_nano, waiter.need_nano)
            if not account.extra_nano:
                account.extra_nano = SLICE_CALLS * waiter.need_nano
        return Ask(
            waiter.call,
            tuple(self._part(account, account.extra_nano) for account in waiter.draw.accounts),
            waiter.need_nano,
            waiter.floor_nano,
            now_ns >= waiter.deadline_ns,
            waiter.deadline_ns + WANT_SLACK_NS,
        )

    def _ahead(self, account: Account, now_ns: int) -> Ask:
        """A slice ahead of need: twice the last one."""
        account.extra_nano = min(account.extra_nano * 2, account.step_nano * SLICE_CALLS_MAX)
        return Ask(0, (self._part(account, account.extra_nano),), 0, account.step_nano, False, now_ns)

    def _part(self, account: Account, extra_nano: int) -> Part:
        debt_nano = max(0, -self.allowances.escrow.free(account.slot))
        return Part(account.key, account.since_ns, account.ceiling_nano, debt_nano, extra_nano)

    # -- what the store has said ------------------------------------------------------------------------------------

    def _credit(self, request: _Request, exchange: Exchange) -> None:
        self.exchanges += 1
        if exchange.state == "reaped":
            self._charged_whole()
            return
        for owner, ask, answer in zip(request.owners, request.asks, exchange.answers, strict=True):
            accounts = owner.draw.accounts if isinstance(owner, Waiter) else (owner,)
            self._note(accounts, answer)
            if isinstance(owner, Waiter):
                self._serve_waiter(owner, ask, answer)
        self._press(exchange.wanted)
        self._serve_late()
        if self._waits():
            self._wants.wanted_at_ns = self.allowances.now()

    def _serve_late(self) -> None:
        """Those that came meanwhile have of what was granted ahead of need, in their order, unless an older call or
        another worker waits for it. Were it asked for anew, as many would come meanwhile again, and so on."""
        for waiter in self._waiters:
            if waiter.future.done():
                continue
            accounts = waiter.draw.accounts
            if waiter.asked or any(account.wanted or not account.number for account in accounts):
                return
            hold = self.allowances.escrow.claim(waiter.draw.cells, waiter.need_nano)
            if hold is None:
                return
            self.allowances.number(waiter.draw)
            waiter.future.set_result(hold)

    def _note(self, accounts: tuple[Account, ...], answer: Answer) -> None:
        allowances = self.allowances
        granted = answer.granted or (0,) * len(accounts)
        for account, number, figures, nano in zip(accounts, answer.cells, answer.figures, granted, strict=True):
            if allowances.by_slot.get(account.slot) is not account:  # closed in the meantime, because it was idle
                if nano:
                    allowances.returns.append((number, nano))
                continue
            account.number, account.figures = number, figures
            allowances.by_number[number] = account
            if nano:
                allowances.escrow.grant(account.slot, nano)
            if nano > answer.nano:
                allowances.escrow.watch(account.slot, allowances.escrow.free(account.slot) // 2)

    def _serve_waiter(self, waiter: Waiter, ask: Ask, answer: Answer) -> None:
        draw, future = waiter.draw, waiter.future
        self.allowances.number(draw)
        if answer.verdict == "granted":
            if future.done():
                return  # it left; the money stays in the accounts
            hold = self.allowances.escrow.claim(draw.cells, answer.nano)
            if hold is not None:
                future.set_result(hold)
            return
        # Nobody counts any more what was spent of a budget that was removed: who waits for that asks anew without it.
        removed = answer.verdict == "unready" and draw.accounts[answer.at].gone
        over = answer.verdict == "full" or ask.take or removed
        if over and not future.done():
            future.set_result(answer)

    def _press(self, wanted: frozenset[int]) -> None:
        """Others wait for what is free of these cells; they come first until they are served."""
        allowances = self.allowances
        for account in list(self._pressed):
            if account.wanted and account.number not in wanted:
                account.wanted = False
                allowances.escrow.tighten(account.slot, -1)
                if not account.waiting:
                    self._pressed.discard(account)
        for number in wanted:
            pressed = allowances.by_number.get(number)
            if pressed is not None and not pressed.wanted:
                pressed.wanted = True
                allowances.escrow.tighten(pressed.slot, 1)
                self._pressed.add(pressed)
                self._wake.set()  # give back at once, not at the next tick

    def _unreachable(self, request: _Request, error: StoreError) -> None:
        """What was given back is not taken again, because nobody can say whether it arrived: it stays leased, and is
        free when this worker ends."""
        log.error("budgets cannot be read: %s", error)
        self._gone.extend(request.gone)
        now_ns = self.allowances.now()
        for waiter in self._waiters:
            if now_ns >= waiter.deadline_ns and not waiter.future.done():
                waiter.future.set_result(None)

    def _charged_whole(self) -> None:
        log.error("what this worker had leased was charged whole (budgets reap); it takes no more calls with budgets")
        self.reaped = True
        for account in self.allowances.accounts.values():
            self.allowances.give_back(account)
        for waiter in self._waiters:
            if not waiter.future.done():
                waiter.future.set_result(None)
