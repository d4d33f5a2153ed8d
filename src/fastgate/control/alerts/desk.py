"""The alerts of one control process: takes what happens, keeps it in the outbox, sends what is due.

Owns the order of these. Listeners put into a queue and return at once; everything else is in `step`, run by one thread
at a time. The outbox is opened when there is first something to keep, so who configures no alerts pays for none.
"""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine

from fastgate.budgets import stage_nano
from fastgate.clock import wall_ns
from fastgate.config_alerts import Alerts, Channel
from fastgate.control.alerts import route, wire
from fastgate.control.alerts.notice import (
    Notice,
    StageChange,
    cell_key,
    cleared_notice,
    decision_notice,
    request_key,
    request_notice,
    stage_key,
    stage_notice,
    trial_notice,
)
from fastgate.control.alerts.outbox import Due, Outbox, Receiver, Timing
from fastgate.log import Log
from fastgate.snapshot import BudgetRow
from fastgate.stores.ports import IncreaseView
from fastgate.times import NS

SENDERS = 8
"""Messages on their way at once: a service that does not answer holds up nobody else."""

KEY_CHARS = 32

PRUNE_NS = 3600 * NS

log = Log("alerts")


class Tried(NamedTuple):
    """How one attempt ended; `error` is empty where it was taken."""

    receiver: Receiver
    error: str


class Desk:
    """`settings` and `budgets` are asked anew each time: they change with reloads."""

    def __init__(
        self,
        path: Path,
        directory: Engine,
        settings: Callable[[], Alerts],
        budgets: Callable[[], Sequence[BudgetRow]],
        send: Callable[[Channel, str, Sequence[Notice], str], None] = wire.send,
    ) -> None:
        self._path = path
        self._routes = route.Routes(directory)
        self._settings = settings
        self._budgets = budgets
        self._send = send
        self._stages: queue.SimpleQueue[StageChange] = queue.SimpleQueue()
        self._outbox: Outbox | None = None
        self._opening = threading.Lock()
        self._pruned_ns = 0

    def close(self) -> None:
        if self._outbox is not None:
            self._outbox.close()
            self._outbox = None

    @property
    def outbox(self) -> Outbox:
        """Made when first needed. Raises StoreError."""
        with self._opening:
            if self._outbox is None:
                self._outbox = Outbox(self._path)
            return self._outbox

    @property
    def in_use(self) -> bool:
        """Whether there is, or was, anything to send."""
        return self._outbox is not None or self._path.exists()

    # -- in ---------------------------------------------------------------------------------------------------------

    def on_stage(self, change: StageChange) -> None:
        """A listener of the stages: raises nothing and does not wait."""
        self._stages.put(change)

    def asked(self, row: BudgetRow, view: IncreaseView) -> None:
        """An increase of a budget waits: whoever decides is told, once. Raises StoreError."""
        self._keep(request_notice(row, view), self._routes.of_request(row, view.cell, self._settings()))

    def decided(self, view: IncreaseView) -> None:
        """It waits no more: incidents of it end, and who asked for it with a key is told. Raises StoreError."""
        key = request_key(view.id)
        for raised, receivers in self._standing(key):
            if raised.key == key:
                self._keep(cleared_notice(raised, view.decided_ns), receivers)
        asker = self._routes.of_asker(view.key_id, self._settings()) if view.key_id else []
        if asker:
            self._keep(decision_notice(view), asker)

    def waiting(self, views: Sequence[IncreaseView], before_ns: int) -> None:
        """All increases that wait: who was not told of one is, and incidents of others that were raised before
        `before_ns` end: they lapsed, or went with their budget. Raises StoreError."""
        if views:
            told = self.outbox.keys(request_key(""))
            rows = {row.id: row for row in self._budgets()}
            for view in views:
                if request_key(view.id) not in told and view.budget in rows:
                    self.asked(rows[view.budget], view)
        open_keys = {request_key(view.id) for view in views}
        for raised, receivers in self._standing(request_key("")):
            if raised.key not in open_keys and raised.at_ns < before_ns:
                self._keep(cleared_notice(raised, wall_ns()), receivers)

    def tell_operators(self, notice: Notice) -> None:
        """Raises StoreError."""
        self._keep(notice, route.of_operators(self._settings()))

    def _keep(self, notice: Notice, receivers: Sequence[Receiver]) -> None:
        settings = self._settings()
        timing = Timing(settings.cooldown_s, {channel.name: channel.digest_s for channel in settings.channels})
        if self.outbox.put(notice, receivers, timing):
            told = ",".join(receiver.channel for receiver in receivers) or "nobody: no channel is configured for it"
            log.warning(notice.title, what=notice.text, told=told)

    # -- out --------------------------------------------------------------------------------------------------------

    def step(self) -> int:
        """Keep what has happened and send what is due; how many messages were tried. Raises StoreError."""
        self._take_stages()
        if not self.in_use:
            return 0
        now_ns = wall_ns()
        if now_ns - self._pruned_ns >= PRUNE_NS:
            self._pruned_ns = now_ns
            self.outbox.prune(now_ns)
        messages = self.outbox.due(now_ns)
        if messages:
            with ThreadPoolExecutor(SENDERS, thread_name_prefix="alert") as pool:
                list(pool.map(self._deliver, messages))
        return len(messages)

    def _take_stages(self) -> None:
        rows: dict[str, BudgetRow] | None = None
        while True:
            try:
                change = self._stages.get_nowait()
            except queue.Empty:
                return
            if rows is None:
                rows = {row.id: row for row in self._budgets()}
            row = rows.get(change.budget)
            if row is not None and row.created_ns != change.created_ns:
                row = None  # one that was made anew under the name
            try:
                self._clear(row, change)
                notice = stage_notice(row, change) if row is not None else None
                if row is not None and notice is not None:
                    self._keep(notice, self._routes.of_stage(row, change.cell, self._settings()))
            except BaseException:
                self._stages.put(change)  # the disk may take it next time; telling it twice is once
                raise

    def _clear(self, row: BudgetRow | None, change: StageChange) -> None:
        """Tell who keeps incidents open of those of the cell that are over: it is below the stage now, they were of a
        period before, or the budget has no such stage any more, or is gone."""
        in_force: set[str] = set()
        if row is not None and change.stage:
            for at_ppm, _ in row.stages:
                if stage_nano(row, at_ppm, change.at_ns, change.cell) <= change.spent_nano:
                    in_force.add(stage_key(row, change.cell, at_ppm))
        of_cell = cell_key(change.budget, change.created_ns, change.cell)
        for raised, receivers in self._standing(of_cell):
            of_now = not raised.period_ns or raised.period_ns == change.period_start_ns
            is_stage = raised.key.removeprefix(of_cell).isdecimal()  # else of a cell whose name begins alike
            if is_stage and not (of_now and raised.key in in_force):
                self._keep(cleared_notice(raised, change.at_ns), receivers)

    def _standing(self, beginning: str) -> list[tuple[Notice, list[Receiver]]]:
        """Alerts whose name begins so and of which somebody keeps an incident open."""
        keepers = [channel.name for channel in self._settings().channels if channel.kind == "pagerduty"]
        return self.outbox.standing(beginning, keepers) if keepers and self.in_use else []

    def _deliver(self, message: Due) -> None:
        """One message to one receiver, and what came of it."""
        try:
            self._attempt(message.receiver, message.notices, message_key(message))
        except wire.SendError as error:
            log.warning("not sent", channel=message.receiver.channel, why=error, final=error.final)
            self.outbox.failed(message.ids, str(error), wall_ns(), error.wait_s, final=error.final)
        else:
            self.outbox.sent(message.ids, wall_ns())

    def _attempt(self, receiver: Receiver, notices: Sequence[Notice], key: str) -> None:
        for channel in self._settings().channels:
            if channel.name == receiver.channel:
                self._send(channel, receiver.to, notices, key)
                return
        raise wire.SendError("there is no channel of that name any more", final=True)

    def trial(self, receivers: Sequence[Receiver]) -> list[Tried]:
        """Send a test message to each, now, past the outbox."""
        notice = trial_notice(wall_ns())
        key = hashlib.sha256(notice.key.encode()).hexdigest()[:KEY_CHARS]

        def attempt(receiver: Receiver) -> Tried:
            try:
                self._attempt(receiver, [notice], key)
            except wire.SendError as error:
                return Tried(receiver, str(error))
            return Tried(receiver, "")

        with ThreadPoolExecutor(SENDERS, thread_name_prefix="alert") as pool:
            return list(pool.map(attempt, receivers))


def message_key(message: Due) -> str:
    """The same whenever the same alerts are sent again, another as soon as one more is with them: a receiver that drops
    what it has had drops nothing new."""
    named = f"{message.receiver.channel}/{message.receiver.to}/{message.ids}"
    return hashlib.sha256(named.encode()).hexdigest()[:KEY_CHARS]
