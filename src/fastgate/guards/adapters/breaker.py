"""A circuit breaker: a vendor that fails again and again is left alone for a while, then asked once."""

from __future__ import annotations

from fastgate.clock import boot_ns

FAILURES = 5
"""In a row before the circuit opens: one slow answer is no outage."""

OPEN_S = 30
"""How long it stays open; then one call tries."""


class Breaker:
    """Counts failures in a row. One for each vendor; belongs to one event loop."""

    __slots__ = ("failures", "open_until_ns", "trying")

    def __init__(self) -> None:
        self.failures = 0
        self.open_until_ns = 0
        self.trying = False

    def allows(self) -> bool:
        """Whether a call may go out now; of an open circuit one a period."""
        if self.failures < FAILURES:
            return True
        if self.trying or boot_ns() < self.open_until_ns:
            return False
        self.trying = True
        return True

    def worked(self) -> None:
        self.failures, self.trying = 0, False

    def gave_up(self) -> None:
        """The call that tried went away before it knew."""
        self.trying = False

    def failed(self) -> None:
        self.failures += 1
        self.trying = False
        if self.failures >= FAILURES:
            self.open_until_ns = boot_ns() + OPEN_S * 1_000_000_000
