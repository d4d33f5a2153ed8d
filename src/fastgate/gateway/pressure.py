"""Overload, in two steps: some answers close their connections, so that clients spread; then new calls are refused.

Three signals, all the worker's own. How many calls it has in flight. How long the calls that have not begun (turns.py)
wait: where the next has waited for long, no more are taken than will begin in time, by what those before took. So the
line is bounded in time, whatever a call costs, and who comes beyond it is refused by the server's thread, without
waiting in it. And how late the loop is, a beat every ten milliseconds: streams in flight may take all of it.

A late loop counts only while there are calls to explain it: on a machine that others keep busy it would be late with
nothing to do.
"""

from __future__ import annotations

import logging
import random
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from fastgate.call import Downstream
from fastgate.errors import CLOSE

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastgate.gateway.opening import Watcher
    from fastgate.gateway.turns import Turns

log = logging.getLogger("fastgate.pressure")

WAITED_NS = 50_000_000
"""Nobody is refused before the next call has waited that long: it takes a while until it is known what calls cost.
Hundreds that come at once are no overload, and are all taken."""

AGAIN_NS = 10_000_000
"""The same shortly after calls were refused: a worker that is through with its overload refuses nobody."""

TARGET_NS = 80_000_000
"""What the line may take of the loop. A longer one makes nothing quicker. At four times capacity, where refusals take
nearly as much of the core, half of those that are taken are through within twice that, and 99 of 100 within 0.2 s
(bench.overload); a hundred clients that each send 730 KB again and again take half of it (bench.cache)."""

CLOSING_NS = TARGET_NS // 2
"""Where the line takes so much, connections are closed."""

SPREAD_SHARE = 1 / 8
"""Of the answers that are given meanwhile close their connections so many. Who connects anew comes to any worker, and
who is at one that is not pressed stays: when all were closed, two hundred clients of two workers were all at one of
them within two seconds, and then at the other (bench.cache)."""

WAITING_CALLS = 32
"""So many may always wait, the dearest of which cost 8 ms."""

HOLD_S = 1.0
"""For so long after calls waited the worker counts as late: in overload they do in turns."""

REFUSE_LAG_S, BUSY_CALLS = 1.0, 64
"""Streams in flight take the loop too: with so many of them a loop that is so late takes nothing new."""

CLOSE_SHARE = 0.9
"""Of the calls in flight that are allowed, above which all connections are closed."""

CALM, CLOSING, REFUSING = range(3)


class Pressure:
    """How pressed one worker is. `limit` is `limits.calls_in_flight` of the snapshot in force; `sent` tells how many of
    the calls in flight have been sent on."""

    def __init__(
        self, limit: int, turns: Turns, sent: Callable[[], int], dice: Callable[[], float] = random.random
    ) -> None:
        self.limit = limit
        self.late = CALM
        self._turns = turns
        self._sent = sent
        self._dice = dice
        self._taken = self._taken_before = 0
        """Calls that were taken since the last beat, and in the one before: their bodies may still be coming."""
        self._refused = False
        """Whether any call was refused since the last beat."""
        self._pressed = False
        """Whether the line was long at the last beat, or a call was refused before it."""
        self._held_s = 0.0

    def beat(self, away_s: float, lag_s: float, in_flight: int) -> None:
        """The loop beats, `away_s` after its last beat and `lag_s` late."""
        turns = self._turns
        before, waited_ns = self.late, turns.waited_ns()
        long = waited_ns >= WAITED_NS and turns.takes_ns(turns.waiting()) >= CLOSING_NS
        self._pressed = self._refused or long
        if self._pressed:
            self._held_s = HOLD_S
        else:
            self._held_s -= away_s
        self._refused = False
        self._taken_before, self._taken = self._taken, 0
        self.late = CLOSING if self._held_s > 0 else CALM
        if lag_s >= REFUSE_LAG_S and in_flight >= BUSY_CALLS:
            self.late = REFUSING
        if self.late > before:
            log.warning(
                "pressure %d: the loop is %.0f ms late, %d calls of %d wait, the next for %.0f ms",
                self.late, lag_s * 1e3, turns.waiting(), in_flight, waited_ns / 1e6,
            )  # fmt: skip

    def level(self, in_flight: int) -> int:
        """REFUSING, or CALM for a call that comes now and is taken."""
        if in_flight >= self.limit or self.late == REFUSING:
            return REFUSING
        turns = self._turns
        if turns.waited_ns() >= (AGAIN_NS if self.late else WAITED_NS):
            waiting = turns.waiting()
            waiting += max(0, min(self._taken + self._taken_before, in_flight - self._sent() - waiting))
            if waiting >= WAITING_CALLS and turns.takes_ns(waiting) >= TARGET_NS:
                self._refused = True
                return REFUSING
        self._taken += 1
        return CALM

    def closing(self, in_flight: int) -> bool:
        """Whether the answer of a call that comes now closes its connection."""
        if in_flight >= self.limit * CLOSE_SHARE or self.late == REFUSING:
            return True
        return self._pressed and self._dice() < SPREAD_SHARE


class ClosingSide:
    """A request whose answer closes its connection."""

    def __init__(self, inner: Downstream) -> None:
        self._inner = inner

    def __call__(self) -> Any:
        return self._inner()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._inner.__aiter__()

    def client_disconnect(self) -> Any:
        return self._inner.client_disconnect()

    def response_empty(self, status: int, headers: list[tuple[str, str]]) -> None:
        self._inner.response_empty(status, [*headers, *CLOSE])

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self._inner.response_bytes(status, [*headers, *CLOSE], body)

    def response_stream(self, status: int, headers: list[tuple[str, str]]) -> Any:
        return self._inner.response_stream(status, [*headers, *CLOSE])


class ClosingWatcher:
    """The server's view of such a request."""

    def __init__(self, inner: Watcher) -> None:
        self.scope = inner.scope
        self.proto: Any = ClosingSide(inner.proto)
        self.taskref, self.done, self.err = inner.taskref, inner.done, inner.err
