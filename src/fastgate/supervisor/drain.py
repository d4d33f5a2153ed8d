"""The drain: new calls are refused, those in hand finish, and only then is the data plane stopped.

A call is in hand from its head on: one whose body is still coming is waited for. Owns the deadlines. The board carries
them to the workers; the workers' flight tables tell what is left.
"""

from __future__ import annotations

from fastgate import snapshot
from fastgate.board import Board
from fastgate.clock import mono_ns
from fastgate.log import Log
from fastgate.state import StateDir
from fastgate.supervisor.child import NS
from fastgate.workers import in_flight

NOTICE_S = 0.5
"""The drain lasts at least this long. No call begins once the board says that it drains; a worker tells how many it has
every ten milliseconds, and must have told before none means anything."""

CUT_S = 2.0
"""What workers get to end the calls that outlive the deadline: a last event to each client, a record to the journal."""

TELL_EVERY_S = 10.0

log = Log("supervisor")


class Drain:
    """One drain of one gateway. `limit_s` is what the configuration at start allowed; a reload may have changed it."""

    def __init__(self, board: Board, state: StateDir, limit_s: float) -> None:
        self._board = board
        self._state = state
        self._limit_s = limit_s
        self._began_ns = 0
        self._stop_at_ns = 0
        self._told_ns = 0
        self._asked = 1

    def begin(self) -> None:
        self._began_ns = self._told_ns = mono_ns()
        self._stop_at_ns = self._began_ns + int(self._limit() * NS)
        self._board.stop_at_ns = max(self._stop_at_ns, 1)
        self._board.draining = True
        log.info("draining", in_flight=in_flight(self._state), within_s=f"{self._limit():.0f}")

    def hasten(self) -> None:
        """Asked again: the calls left end now. Asked a third time: nothing is waited for."""
        self._asked += 1
        now_ns = mono_ns()
        log.info("asked again to stop", in_flight=in_flight(self._state))
        self._stop_at_ns = min(self._stop_at_ns, now_ns)
        if self._asked > 2:
            self._stop_at_ns = now_ns - int(CUT_S * NS)
        self._board.stop_at_ns = max(self._stop_at_ns, 1)

    def over(self) -> bool:
        """Whether the data plane may be stopped now."""
        now_ns = mono_ns()
        left = in_flight(self._state)
        if left == 0 and now_ns - self._began_ns >= NOTICE_S * NS:
            log.info("drained", in_s=f"{(now_ns - self._began_ns) / NS:.1f}")
            return True
        if now_ns >= self._stop_at_ns + CUT_S * NS:
            log.warning("the drain ends with calls in flight", in_flight=left)
            return True
        if now_ns - self._told_ns >= TELL_EVERY_S * NS:
            self._told_ns = now_ns
            log.info("draining", in_flight=left, left_s=f"{max(0, self._stop_at_ns - now_ns) / NS:.0f}")
        return False

    def _limit(self) -> float:
        try:
            return snapshot.decode(self._state.snapshot.read_bytes()).limits.drain_s
        except (OSError, ValueError):
            return self._limit_s
