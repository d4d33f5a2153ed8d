"""What the control plane does unasked: count finished calls, record those of dead workers, follow the clock.

Owns how often. Each part runs in threads, one step at a time; a failure of the disk is told and tried again.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from fastgate.bulk import burst
from fastgate.clock import mono_ns
from fastgate.config import Journal
from fastgate.control.alerts.watch import Watch
from fastgate.control.charging import Charging
from fastgate.control.feed import CallFeed
from fastgate.control.history import History
from fastgate.control.ingest import BUSY_POLL_S, BUSY_RECORDS, HOUSEKEEPING_S, Ingestor
from fastgate.control.leases import Leases
from fastgate.control.operations import Operations
from fastgate.control.recover import recover
from fastgate.control.stages import Stages
from fastgate.journal import JournalWriter
from fastgate.log import Log
from fastgate.stores.counters import Database
from fastgate.stores.counters_control import ControlCounters
from fastgate.stores.ports import StoreError

REAP_S = 0.5
"""How often dead workers are looked for: their calls are counted within a second."""

CLOCK_S = 1.0
"""How often expiry is looked at. Workers refuse an expired key by themselves; this takes it out of the snapshot."""

ALERTS_S = 1.0
"""How often alerts are sent that are due."""

WATCH_S = 5.0
"""How often the gateway looks at itself for what its operator must mend."""

GRAPHS_S = 10.0
"""How often it is looked whether the log of remembered questions has grown by enough to save its graphs."""

GRAPHS_RETRY_S = 300.0
"""How long that is left alone after it failed: each attempt reads the whole log, a minute's work where it is large."""

RETRY_S = 1.0

LEDGER = "ledger"
"""The charges' name among the journal's consumers."""

CHARGE_S = 0.1
"""How often finished calls are charged: a stage reaches every worker within a second."""

LOOK_AFTER_NS = 500_000_000
"""How often it is asked who does not answer, and who is dead."""

log = Log("control")


class Background:
    """The tasks of one control process."""

    def __init__(self, operations: Operations, journal: Journal) -> None:
        self._operations = operations
        self._settings = journal
        self._writer: JournalWriter | None = None
        self._reaping = threading.Lock()
        state = operations.state
        self.counters = ControlCounters(Database(state.counters_db, durable=journal.fsync == "always"))
        history = History(operations.calls.table)
        feed = CallFeed(state.journal_dir)
        self._charging = Charging(self.counters, history, feed, state.flight_dir, lambda: operations.world.budgets)
        operations.leases = Leases(state, self.counters, self._charging, self.reap, operations.note)
        self.stages = Stages(self.counters, state.stages, operations.board)
        self.stages.listeners.append(operations.desk.on_stage)
        self._stopping = False
        self._graphs = Dispensable(self._save_graphs, "graphs of remembered questions cannot be saved", GRAPHS_RETRY_S)
        self._look_after_ns = 0
        self._house_ns = mono_ns() + int(HOUSEKEEPING_S * 1e9)
        self._ingestor = Ingestor(
            operations.calls.table,
            feed,
            retention_days=journal.retention_days,
            others=lambda: {LEDGER: self._charging.positions()},
        )
        self._watch = Watch(
            state,
            operations.calls.table,
            operations.desk.tell_operators,
            lambda: operations.world.config.alerts.prompt_cache_nano,
        )

    def start(self, loop: asyncio.AbstractEventLoop) -> list[asyncio.Task[None]]:
        """None of them ends by itself."""
        return [
            loop.create_task(self._ingestor.run(), name="the count of calls"),
            loop.create_task(_repeat(self.reap, REAP_S), name="the recovery of calls"),
            loop.create_task(_repeat(self.charge, CHARGE_S, BUSY_POLL_S), name="the charging of budgets"),
            loop.create_task(_repeat(self._operations.world.tick, CLOCK_S), name="the clock"),
            loop.create_task(_repeat(self._operations.budgets.intake.take, CLOCK_S), name="the developers' questions"),
            loop.create_task(_repeat(self._operations.desk.step, ALERTS_S), name="the alerts"),
            loop.create_task(_repeat(self._watch.step, WATCH_S), name="the watch"),
            loop.create_task(_repeat(self._graphs, GRAPHS_S), name="the graphs of remembered questions"),
        ]

    async def finish(self, tasks: list[asyncio.Task[None]]) -> None:
        """The data plane is gone by now: the calls of its last moment are recorded and counted."""
        self._stopping = True
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            await asyncio.to_thread(self.settle)
        except (StoreError, OSError) as error:
            log.error("the last calls are counted at the next start", why=error)

    def settle(self) -> None:
        """Where no worker runs any more: records, counts and charges the last calls, and gives everything up."""
        self.reap()
        if self._writer is not None:
            self._writer.close()
        self._ingestor.catch_up()
        self._charging.catch_up()
        self._charging.look_after()
        self.counters.close()

    def reap(self) -> None:
        """Records the calls of workers that are gone."""
        state = self._operations.state
        unknown_usage = self._operations.world.config.limits.unknown_usage
        with self._reaping:  # a cancelled task's thread may still be at it
            recover(state.flight_dir, state.journal_dir, self._journal, unknown_usage)

    def _save_graphs(self) -> None:
        """Takes seconds in its thread where it is due; a process that ends does not wait for all of it."""
        self._operations.caching.save_graphs(lambda: self._stopping)

    def charge(self) -> bool:
        """Charges finished calls to budgets and says which stages they have reached; whether there were many."""
        charging = self._charging
        with burst():
            records = charging.step()
        now_ns = mono_ns()
        if now_ns >= self._look_after_ns:
            self._look_after_ns = now_ns + LOOK_AFTER_NS
            charging.look_after()
        if now_ns >= self._house_ns:
            self._house_ns = now_ns + int(HOUSEKEEPING_S * 1e9)
            charging.keep_house()
        self.stages.look(self._operations.world.budgets, charging.take_changed())
        return records >= BUSY_RECORDS

    def _journal(self) -> JournalWriter:
        """This process's own epoch, made when first needed."""
        if self._writer is None:
            self._writer = JournalWriter.create(
                self._operations.state.journal_dir,
                segment_bytes=self._settings.segment_bytes,
                fsync=self._settings.fsync,
            )
        return self._writer


class Dispensable:
    """A step that nothing depends on: whatever fails in it is told, and it is left alone for `rest_s`."""

    def __init__(self, step: Callable[[], object], trouble: str, rest_s: float) -> None:
        self._step = step
        self._trouble = trouble
        self._rest_s = rest_s
        self._from_ns = 0

    def __call__(self) -> None:
        if mono_ns() < self._from_ns:
            return
        try:
            self._step()
        except Exception as error:  # noqa: BLE001  # an index that is written in C++ raises what it likes
            log.error(self._trouble, why=repr(error), again_in_s=int(self._rest_s))
            self._from_ns = mono_ns() + int(self._rest_s * 1e9)


async def _repeat(step: Callable[[], object], every_s: float, busy_s: float = 0.0) -> None:
    """`step` in a thread, for ever; with the pause `busy_s` where it says that it had much to do."""
    while True:
        pause_s = every_s
        try:
            if await asyncio.to_thread(step) is True and busy_s:
                pause_s = busy_s
        except (StoreError, OSError) as error:
            log.error("trying again", why=error)
            pause_s = RETRY_S
        await asyncio.sleep(pause_s)
