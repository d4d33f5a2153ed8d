"""Overload, in two steps: answers close their connections, so that clients spread; then new calls are refused at once.

Three signals, all the worker's own. How many calls it has in flight. How late its loop is: a beat every ten
milliseconds stands in one queue with the calls. And while it is late, how many calls wait, from their head to their
being sent on: no more are taken than it has lately got through in `TARGET_S`. So the queue is bounded in time, whatever
a call costs, and who comes beyond it is refused by the server's thread, without waiting in it.

A late loop counts only while there are calls to explain it: on a machine that others keep busy it would be late with
nothing to do.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from fastgate._core.clock import mono_ns
from fastgate.call import Downstream
from fastgate.errors import CLOSE
from fastgate.gateway.pulse import PULSE_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastgate.gateway.opening import Watcher

log = logging.getLogger("fastgate.pressure")

LATE_S = 0.15
"""A saturated worker that keeps up is 15 ms late at the 99th percentile (bench/README.md), one whose clients send long
bodies all at once 100 ms."""

LATE_NS = int((PULSE_S + LATE_S) * 1e9)

HELD_LATE_S = LATE_S / 4
"""While it refuses calls a worker is less late than that, for it refuses them."""

TARGET_S = 0.3
"""What a call may wait where calls alone are the load: long against two hundred clients who come at once with 730 KB
each, short against what a model takes to begin."""

FEW_CALLS, WAITING_CALLS = 16, 32
"""Fewer than those that wait explain no lateness, and so many may always wait; the dearest calls cost 8 ms."""

HOLD_S = 1.0
"""So long after it was late last a loop counts as late: in overload it is so in turns, as bodies come."""

RATE_S = 0.2
"""Over how much of its working time it is measured how fast a worker gets through its calls."""

REFUSE_LAG_S, BUSY_CALLS = 1.0, 64
"""Streams in flight take the loop too: with so many of them a loop that is so late takes nothing new."""

CLOSE_SHARE = 0.9
"""Of the calls in flight that are allowed, above which connections are closed."""

ANY = 1 << 62
CALM, CLOSING, REFUSING = range(3)


class Pressure:
    """How pressed one worker is. `limit` is `limits.calls_in_flight` of the snapshot in force; `sent` tells how many of
    the calls in flight have been sent on."""

    def __init__(self, limit: int, sent: Callable[[], int], clock: Callable[[], int] = mono_ns) -> None:
        self.limit = limit
        self.late = CALM
        self._sent = sent
        self._clock = clock
        self._due_ns = clock() + LATE_NS
        """When the loop is late, if it has not beaten by then: calls do not wait for the beat that would say so."""
        self._taken = 0
        """Calls that came since the last beat and were not refused."""
        self._allowed = ANY
        """How many may wait."""
        self._refused = False
        """Whether any was refused since the last beat."""
        self._waiting = 0
        self._rate = 0.0
        """Calls a second that the loop got through while it had no rest."""
        self._held_s = 0.0

    def beat(self, away_s: float, lag_s: float, in_flight: int) -> None:
        """The loop beats, `away_s` after its last beat and `lag_s` late."""
        self._due_ns = self._clock() + LATE_NS
        before, waiting = self.late, in_flight - self._sent()
        through, self._waiting, self._taken = self._taken + self._waiting - waiting, waiting, 0
        if lag_s > 0:
            self._rate += (max(0, through) / away_s - self._rate) * min(1.0, away_s / RATE_S)
        if lag_s >= (HELD_LATE_S if self._refused else LATE_S) and waiting >= FEW_CALLS:
            self._held_s = HOLD_S
        else:
            self._held_s -= away_s
        self.late, self._allowed, self._refused = CALM, ANY, False
        if self._held_s > 0:
            self.late, self._allowed = CLOSING, self._through()
        if lag_s >= REFUSE_LAG_S and in_flight >= BUSY_CALLS:
            self.late = REFUSING
        if self.late > before:
            log.warning(
                "pressure %d: the loop is %.0f ms late, %d calls wait of %d", self.late, lag_s * 1e3, waiting, in_flight
            )

    def _through(self) -> int:
        """How many calls the loop gets through in TARGET_S."""
        return max(WAITING_CALLS, int(self._rate * TARGET_S))

    def level(self, in_flight: int) -> int:
        """REFUSING, or CALM for a call that comes now and is taken, and counted."""
        found = self.again(in_flight)
        self._taken += found == CALM
        return found

    def again(self, in_flight: int) -> int:
        """The same for one that was counted."""
        if in_flight >= self.limit:
            return REFUSING
        if self.late == CALM and self._clock() > self._due_ns and in_flight - self._sent() >= FEW_CALLS:
            self.late, self._allowed = CLOSING, self._through()
        if self.late and (self.late == REFUSING or in_flight - self._sent() >= self._allowed):
            self._refused = True
            return REFUSING
        return CALM

    def closing(self, in_flight: int) -> bool:
        """Whether answers of calls that come now close their connections."""
        return self.late != CALM or in_flight >= self.limit * CLOSE_SHARE


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
