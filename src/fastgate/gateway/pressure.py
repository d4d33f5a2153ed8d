"""Overload, in two steps: answers close their connections, so that clients spread; then new calls are refused at once.

Two signals, both the worker's own: how many calls it has in flight, and how late its loop is. A late loop counts only
while there is enough in flight to explain it: on a machine that others keep busy it would be late with nothing to do.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

from fastgate.call import Downstream
from fastgate.errors import CLOSE

log = logging.getLogger("fastgate.pressure")

CLOSE_LAG_S, REFUSE_LAG_S = 0.3, 1.0
"""A saturated worker that still keeps up is 15 ms late at the 99th percentile (bench/README.md); a second late means
that calls come faster than they go."""

BUSY_CALLS = 64
"""In flight, below which lateness has another cause."""

CLOSE_SHARE = 0.9
"""Of the calls in flight that are allowed, above which connections are closed."""

CALM, CLOSING, REFUSING = range(3)


class Pressure:
    """How pressed one worker is. `limit` is `limits.calls_in_flight` of the snapshot in force."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.late = CALM

    def note(self, lag_s: float, in_flight: int) -> None:
        """The loop was late by `lag_s` just now. Called ten times a second."""
        before, self.late = self.late, CALM
        if in_flight >= BUSY_CALLS and lag_s >= CLOSE_LAG_S:
            self.late = REFUSING if lag_s >= REFUSE_LAG_S else CLOSING
        if self.late != before:
            log.warning(
                "pressure %d: the loop is %.0f ms late with %d calls in flight", self.late, lag_s * 1e3, in_flight
            )

    def level(self, in_flight: int) -> int:
        """CALM, CLOSING or REFUSING for a call that comes now."""
        if in_flight >= self.limit:
            return REFUSING
        if in_flight >= self.limit * CLOSE_SHARE:
            return max(CLOSING, self.late)
        return self.late


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
