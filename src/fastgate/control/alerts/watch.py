"""What the gateway's operator must hear of: a provider that refuses our key, workers that die again and again, a disk
that is nearly full or damaged.

Looks at what the control plane sees anyway; each look is cheap. What it finds is told once a while, until it is mended.
"""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Callable

from sqlalchemy import func, select

from fastgate.amounts import dollars
from fastgate.clock import mono_ns, wall_ns
from fastgate.control.alerts.notice import Notice, operator_notice
from fastgate.control.usage import UsageTable
from fastgate.control.usage_schema import calls, counted
from fastgate.log import Log
from fastgate.state import StateDir
from fastgate.stores.engine import reading
from fastgate.times import NS
from fastgate.workers import live_workers

REPEAT_NS = 4 * 3600 * NS
"""Between two alerts of the same trouble: half a working day."""

CRASHES = 4
CRASH_WINDOW_NS = 600 * NS
"""So many workers that came after the first ones, within ten minutes: one death is replaced and forgotten."""

GRACE_NS = 60 * NS
"""Workers that begin within this after the control plane are the first ones."""

LOOKED_AT = 200
"""Failed calls of one look: a storm needs no more than one alert."""

LITTLE_DISK_BYTES = 1 << 30
"""As `fastgate doctor` warns: about 1.5 million calls of journal and usage."""

CREDENTIAL_REFUSED = "provider_credential"
"""The kind of error of such a call (errors.Kind)."""


log = Log("alerts")


class Watch:
    """Looks at one gateway; `step` tells what it finds."""

    def __init__(
        self,
        state: StateDir,
        table: UsageTable,
        tell: Callable[[Notice], None],
        limit_nano: Callable[[], int],
        grace_ns: int = GRACE_NS,
    ) -> None:
        self.grace_ns = grace_ns
        self._state = state
        self._table = table
        self._tell = tell
        self._seen = self._broken = 0
        self._limit_nano = limit_nano
        self._first_ns = mono_ns()
        self._started = False
        self._epochs: set[str] = set()
        self._born: deque[int] = deque()
        self._damaged = 0

    def step(self) -> None:
        """Raises StoreError or OSError."""
        if not self._started:
            self._seen = self._broken = self._newest()
            self._damaged = len(self._table.damages())
            self._epochs = {worker.epoch for worker in live_workers(self._state)}
            self._started = True
            log.info("watching", calls=self._seen)
            return
        self._look_at_calls()
        self._look_at_prompt_caches()
        self._look_at_workers()
        self._look_at_disk()

    def _newest(self) -> int:
        with reading(self._table.engine) as connection:
            return connection.scalar(select(func.max(counted.c.seq))) or 0

    def _look_at_calls(self) -> None:
        failed = select(calls.c.id, calls.c.endpoint).where(calls.c.outcome == "upstream_error")
        newest = self._newest()
        with reading(self._table.engine) as connection:
            found = connection.execute(
                calls.ask(failed.where(counted.c.seq > self._seen, counted.c.seq <= newest)).limit(LOOKED_AT)
            ).all()
        self._seen = newest
        refused: set[str] = set()
        for call_id, endpoint in found:
            if endpoint in refused:
                continue
            record = self._table.call(call_id)
            if record is not None and record.error == CREDENTIAL_REFUSED:
                refused.add(endpoint)
        for endpoint in sorted(refused):
            title = f"Endpoint {endpoint} refuses the gateway's credential"
            text = "Calls to it fail with 502 until its api_key is mended; then reload the configuration."
            self._tell(operator_notice(f"credential:{endpoint}", title, text, wall_ns(), REPEAT_NS))

    def _look_at_prompt_caches(self) -> None:
        """Sessions whose prompt cache was broken since the last look, and has cost too much by now."""
        seen, self._broken = self._broken, self._seen
        fresh = calls.ask(select(calls.c.session).distinct().where(calls.c.broke_nano > 0, counted.c.seq > seen))
        lost = func.sum(calls.c.broke_nano)
        asked = (
            select(
                calls.c.session, func.max(calls.c.user).label("user"), func.count().label("breaks"), lost.label("lost")
            )
            .where(calls.c.broke_nano > 0, calls.c.session.in_(fresh))
            .group_by(calls.c.session)
            .having(lost > self._limit_nano())
            .order_by(lost.desc())
            .limit(LOOKED_AT)
        )
        with reading(self._table.engine) as connection:
            found = connection.execute(calls.ask(asked)).all()
        for session, user, breaks, lost_nano in found:
            title = f"Prompt cache: session {session} has lost $ {dollars(lost_nano)}"
            text = f"{breaks} times {user or 'it'} paid for what the provider's cache had; see fastgate cache sessions."
            self._tell(operator_notice(f"prompt-cache:{session}", title, text, wall_ns(), REPEAT_NS, "warning"))

    def _look_at_workers(self) -> None:
        now_ns = mono_ns()
        for worker in live_workers(self._state):
            if worker.epoch not in self._epochs:
                self._epochs.add(worker.epoch)
                if now_ns - self._first_ns > self.grace_ns:
                    self._born.append(now_ns)
        while self._born and self._born[0] < now_ns - CRASH_WINDOW_NS:
            self._born.popleft()
        if len(self._born) >= CRASHES:
            title = f"Workers die: {len(self._born)} were replaced within ten minutes"
            text = "The gateway starts others, with a growing pause. Its log says how they ended."
            self._tell(operator_notice("workers", title, text, wall_ns(), REPEAT_NS))

    def _look_at_disk(self) -> None:
        free_bytes = shutil.disk_usage(self._state.path).free
        if free_bytes < LITTLE_DISK_BYTES:
            title = f"The state's disk has {free_bytes >> 20} MiB left"
            text = "A worker that cannot write its journal takes no calls. Make room, or move `state`."
            self._tell(operator_notice("disk", title, text, wall_ns(), REPEAT_NS))
        damaged = len(self._table.damages())
        if damaged > self._damaged:
            title = f"The journal has {damaged - self._damaged} places more that cannot be read"
            text = "Calls recorded there may be missing from budgets and reports. The log names the files."
            self._tell(operator_notice("journal", title, text, wall_ns(), REPEAT_NS))
        self._damaged = damaged
