"""One worker process: its snapshot, records, flight table and connections, and the watch over its calls.

While the journal cannot be written, records wait (records.py): the worker is unready, takes calls until the flight
table is full and refuses the rest.

Everything a call needs that outlives the call. Knows the rooms' tools, not their order. Compiled with types
(worker.pxd).
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
from itertools import count
from typing import TYPE_CHECKING

from fastgate import snapshot as snapshots
from fastgate._core.clock import mono_ns
from fastgate._core.credit import locate_all
from fastgate._core.flight import FlightTable
from fastgate._core.warmth import WarmthTable
from fastgate.asking import Questions
from fastgate.board import Board
from fastgate.call import Call
from fastgate.gateway import deadlines
from fastgate.gateway.allowance import Allowances
from fastgate.gateway.counters import Counters
from fastgate.gateway.lending import Lending
from fastgate.gateway.pinning import Pinning
from fastgate.gateway.precedence import BUSY, EASY, PRESSED, Precedence
from fastgate.gateway.pressure import CALM, Pressure
from fastgate.gateway.pulse import Pulse
from fastgate.gateway.rates import Rates
from fastgate.gateway.records import Records
from fastgate.gateway.turns import Turns
from fastgate.gateway.upstream import Upstreams
from fastgate.gateway.vanished import Vanished
from fastgate.gateway.watchdog import Watchdog
from fastgate.journal import JournalWriter, new_epoch
from fastgate.journal.format import SEGMENT_BYTES
from fastgate.keys import Digester, load_pepper
from fastgate.lag import LagCounts, sweep
from fastgate.routing.health import HealthTable
from fastgate.routing.ladder import Ladder
from fastgate.routing.router import Router
from fastgate.snapshot import Snapshot
from fastgate.stages import read_stages
from fastgate.state import StateDir

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastgate.caching.answers import Answers
    from fastgate.snapshot_cache import CachePolicy

log = logging.getLogger("fastgate.worker")

TICK_S = 0.1
"""How often deadlines, pings and departed clients are looked at. Well under the 250 ms in which a departed client's
upstream must be cancelled."""

BOARD_POLL_S = 0.05
"""How often the board is read: a revoked key is out within this plus the time to load a snapshot."""

REFUSED_S = 5.0
"""A snapshot that could not be taken up is tried again this often: its cache may be back. A newer one at once."""

GC_THRESHOLDS = (10_000, 3, 330)
"""Container objects between collections; a call leaves none behind in a cycle, so the default (700) walks in vain. The
second walk after three: 40,000 objects take 3 ms, and what is kept (notes of questions) may be all of them. The last,
through everything, after ten million as ever."""

REAPED_EXIT = 75
"""EX_TEMPFAIL: what this worker had leased was charged by hand while it did not answer; it cannot go on with that."""

SWEEP_TICKS = 10
"""Idle connections are swept once a second."""


class Worker:
    """The house of one worker process. `calls` are those in flight, by number."""

    def __init__(self, state: StateDir, loop: asyncio.AbstractEventLoop) -> None:
        self.state = state
        self.loop = loop
        self.epoch = new_epoch()
        self.board = Board.open(state.board)
        self.pepper = load_pepper(state.pepper)
        self.digester = Digester(self.pepper)
        self.health = HealthTable(state.health)
        self.warmth: WarmthTable | None = None
        self.upstreams = Upstreams(loop, self.health)
        self.rates = Rates(state.rates_dir)
        self.calls: dict[int, Call] = {}
        self.next_number = count(1).__next__
        """Of a call; one step, whichever thread takes it."""
        self.turns = Turns(loop.call_soon)
        self.pressure = Pressure(0, self.turns, self._calls_sent)
        self.precedence = Precedence()
        self.pinning = Pinning.from_environ()
        self.vanished = Vanished()
        self._ticks = 0
        self._locating: asyncio.Future[int] | None = None
        self.answers: Answers | None = None
        self.flight = FlightTable.create(str(state.flight_dir / f"{self.epoch}.flight"), self.epoch)
        sweep(state.lag_dir, (path.stem for path in state.flight_dir.glob("*.flight")))
        self.lag = LagCounts(state.lag_dir / f"{self.epoch}.lag")
        journal = JournalWriter(
            state.journal_dir,
            self.epoch,
            segment_bytes=int(os.environ.get("FASTGATE_JOURNAL_SEGMENT_BYTES", SEGMENT_BYTES)),
            fsync="always" if os.environ.get("FASTGATE_JOURNAL_FSYNC") == "always" else "never",
        )
        self.records = Records(journal, self.flight, loop.call_soon)
        durable = os.environ.get("FASTGATE_JOURNAL_FSYNC") == "always"
        self.counters = Counters(state.counters_db, loop, durable=durable)
        self.allowances = Allowances()
        self.lending = Lending(self.allowances, self.epoch, self.counters, self.counters.run, self.board)
        self.lending.questions = Questions(state.questions_dir)
        self.prefixes = self.lending.prefixes
        self._stages_at_ns = 0
        self.snapshot: Snapshot
        self._loading: asyncio.Future[Snapshot] | None = None
        self._tried = 0
        """The generation that was loaded last; where it was refused, it is loaded again from `_again_ns` on."""
        self._again_ns = 0
        self.adopt(self.load())
        # What exists now lives as long as the process: the collector need not walk it again and again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        self.watchdog = Watchdog()
        self.pulse = Pulse(loop, self.lag, self._pulse)
        loop.call_later(TICK_S, self._tick)
        loop.call_later(BOARD_POLL_S, self._poll)

    # -- the snapshot -----------------------------------------------------------------------------------------------

    def load(self) -> Snapshot:
        """The published snapshot, ready for use. In a thread of its own once there are calls: new rules take a third of
        a second to make ready. Raises OSError or ValueError."""
        fresh = Snapshot(snapshots.decode(self.state.snapshot.read_bytes()))
        if fresh.data.guards:
            from fastgate.guards.screen import build

            running = getattr(self, "snapshot", None) is not None
            before = self.snapshot.guards if running else None
            fresh.guards = build(
                fresh.data.guards, self.pepper, self.state.guards_dir, before, environ=os.environ, test=not running
            )
        return fresh

    def adopt(self, fresh: Snapshot) -> None:
        """Swap a snapshot in; calls under way keep the one they began with. Raises OSError or ValueError, and then the
        one in force stays as it is."""
        data = fresh.data
        if data.rules or data.throttled or data.routing.models or (data.cascade and data.budgets):
            fresh.ladder = Ladder(data)
        if len(fresh.endpoints) > 1 or fresh.ladder is not None or fresh.prompt is not None:
            fresh.router = self._router(fresh)
        choice = len(fresh.endpoints) > 1 or fresh.prompt is not None or bool(data.rules)
        fresh.plain = not choice and fresh.cache is None
        self._adopt_cache(fresh.cache)  # may fail: before anything else is changed
        self.rates.adopt(fresh)
        self.upstreams.adopt(fresh, self.rates)
        self.allowances.adopt(fresh.data.budgets)
        self.snapshot = snapshots.current = fresh
        self.pressure.limit = fresh.limits.calls_in_flight
        self.flight.generation = fresh.generation
        log.info("snapshot %d (%s) is in force", fresh.generation, fresh.version)

    def _router(self, fresh: Snapshot) -> Router:
        """Where there is a choice of endpoints or models: what prices and chooses."""
        if self.warmth is None:
            self.warmth = WarmthTable.open(self.state.warmth)
        return Router(fresh, self.warmth, self.health)

    def _adopt_cache(self, policy: CachePolicy | None) -> None:
        """Open the tiers that the snapshot names; those in use stay while it names the same ones."""
        if policy is None or (self.answers is not None and self.answers.serves(policy)):
            return
        from fastgate.caching.answers import Answers  # loads LMDB and Redis's parser, only where they are used

        self.answers = Answers(policy, self.state.cache_dir, self.loop, before=self.answers)

    @property
    def cached(self) -> Answers:
        """The tiers; only for a call whose snapshot has a cache."""
        assert self.answers is not None
        return self.answers

    def _poll(self) -> None:
        self.loop.call_later(BOARD_POLL_S, self._poll)
        self.watchdog.beat()
        generation = self.board.generation
        due = generation != self._tried or mono_ns() >= self._again_ns
        if due and generation != self.snapshot.generation and self._loading is None:
            self._tried = generation
            self._loading = self.loop.run_in_executor(None, self.load)
            self._loading.add_done_callback(self._loaded)
        if self.allowances.selection is not None or self.allowances.accounts:
            self._poll_budgets()

    def _loaded(self, loading: asyncio.Future[Snapshot]) -> None:
        self._loading = None
        try:
            self.adopt(loading.result())
        except (OSError, ValueError) as exc:
            self._again_ns = mono_ns() + int(REFUSED_S * 1e9)
            log.error("the published snapshot cannot be read (%s); keeping %d", exc, self.snapshot.generation)

    def _poll_budgets(self) -> None:
        """Stages that are in force now; money that is not needed, or runs short."""
        if self.board.stages_at_ns != self._stages_at_ns:
            self._stages_at_ns = self.board.stages_at_ns
            try:
                self.allowances.set_stages(read_stages(self.state.stages))
            except (OSError, ValueError) as exc:
                log.error("the published budget stages cannot be read (%s); keeping those in force", exc)
        self.lending.tick()
        if self.lending.reaped and not self.calls:
            log.error("this worker ends; another takes its place")
            self.close()
            os._exit(REAPED_EXIT)

    @property
    def ready(self) -> bool:
        return not self.board.draining and not self.records.stuck and not self.lending.reaped

    # -- calls ------------------------------------------------------------------------------------------------------

    def close_call(self, call: Call, record: bytes) -> None:
        """Stop watching the client, give the connection back, have the record written and the flight slot freed."""
        if call.watched is not None:
            call.watched.cancel()
            call.watched = None
        pool = call.pool
        if call.pump is not None and pool is not None:
            pool.give(call.pump)
            call.pump = None
        call.tap = call.review = None  # they know the call: without a ring it is freed at once, not by the collector
        if call.principal is not None or self.records.room_for_stranger(call.start_ns):
            self.records.keep(record, call.slot)

    # -- time -------------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        self.loop.call_later(TICK_S, self._tick)
        deadlines.look(list(self.calls.values()), mono_ns(), self.board.must_stop, self.board.draining)
        if self.answers is not None:
            self.answers.listen()
        self.pinning.look()
        self._ticks += 1
        if self._ticks % SWEEP_TICKS == 0:
            self.upstreams.sweep()
            if self.vanished.idle_s != self.snapshot.limits.idle_s:
                self.loop.run_in_executor(None, self.vanished.give_up_after, self.snapshot.limits.idle_s)
            if self.records.stuck:
                self.records.write()

    def _pulse(self, away_s: float, late_s: float) -> None:
        self.pressure.beat(away_s, late_s, len(self.calls))
        self.flight.calls = len(self.calls)
        busy = BUSY if self.pinning.busy else EASY
        self.precedence.put(busy if self.pressure.late == CALM else PRESSED)

    def _calls_sent(self) -> int:
        return self.flight.in_flight

    def locate(self, found: Callable[[], None]) -> None:
        """Look all clients' descriptors up, off the loop; `found` is called when they are known. Scans are shared."""
        if self._locating is None:
            self._locating = self.loop.run_in_executor(None, locate_all)
            self._locating.add_done_callback(self._located)
        self._locating.add_done_callback(lambda _: found())

    def _located(self, _: object) -> None:
        self._locating = None

    def close(self) -> None:
        """Give everything up; what is still in flight is told by its slots."""
        self.watchdog.close()
        self.pulse.close()
        self.lag.close()
        if self.answers is not None:
            self.answers.close()
        self.counters.close()
        self.records.close()
        self.rates.close()


def worker_from_environ(loop: asyncio.AbstractEventLoop) -> Worker:
    """The worker of this process, from the state directory the supervisor named."""
    return Worker(StateDir(os.environ["FASTGATE_STATE"]), loop)
