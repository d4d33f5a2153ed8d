"""What a finished call costs the control plane: a journal is replayed through the same consumers that follow it in
service, in batches as large as a busy worker's between two looks.

    python -m bench.micro.control [--records N] [--only KIND]

Prints microseconds of CPU a record: to read and decode it (once, for both consumers), to count it in the usage table,
and to charge it to budgets.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import yaml

from bench.load import payloads
from bench.load.gateway import BUDGETS
from bench.lock import BusyError, only_one
from bench.micro.call import seconds_of
from fastgate.clock import wall_ns
from fastgate.control.charging import Charging
from fastgate.control.feed import CallFeed
from fastgate.control.history import History
from fastgate.control.prompt_cache import Guardian
from fastgate.control.usage import UsageTable
from fastgate.journal import KIND_CALL, START, JournalReader, JournalWriter, call_id
from fastgate.prices.book import PriceBook
from fastgate.prices.catalog import compile_prices
from fastgate.prices.settings import PriceSettings
from fastgate.record import CallRecord, Sighting
from fastgate.selection import step_of
from fastgate.snapshot import BudgetRow
from fastgate.stores.counters import Database
from fastgate.stores.counters_control import ControlCounters
from fastgate.stores.ledger_port import ONLY_THIS, Ask, CellKey, Part

RECORDS = 60_000
BATCH = 1_000
"""Records of one look at one worker's journal: 10,000 calls a second, looked at ten times."""

KINDS = ("plain", "budgeted", "soft", "sighted", "large")
"""plain: a small call of one key. budgeted: with money held on the five budgets of the load suite. soft: the same five
as soft budgets, which hold nothing. sighted: each call shows the model one new text. large: a conversation of 730 KB.
"""

USD = 1_000_000_000


def template(folder: Path, kind: str) -> CallRecord:
    """The record that a real worker leaves of one call."""
    body = payloads.body("large" if kind == "large" else "small", stream=False)
    seconds_of(folder, 64, body)
    reader = JournalReader(folder / "state" / "journal")
    first = next(reader.records(reader.epochs()[0]))
    return msgspec.msgpack.decode(first.body, type=CallRecord)


def budgets(kind: str) -> tuple[BudgetRow, ...]:
    stages: Any = ((800_000, "alert"), (1_000_000, "pause"))
    told = yaml.safe_load(BUDGETS)["budgets"] if kind in ("budgeted", "soft") else []
    return tuple(
        BudgetRow(
            one["id"], "acme", one["level"], one["of"], False, (), one["period"], 0, "UTC", 1, one["usd"] * USD,
            kind == "budgeted", stages, (), 1,
        )
        for one in told
    )  # fmt: skip


def fill(folder: Path, kind: str, made: CallRecord, cells: tuple[int, ...], count: int) -> None:
    """A journal of `count` calls that differ in what calls differ in."""
    encode = msgspec.msgpack.Encoder().encode
    now_ns = wall_ns()
    with closing(JournalWriter.create(folder / "journal")) as writer:
        for n in range(1, count + 1):
            marks = os.urandom(32)
            one = msgspec.structs.replace(
                made,
                id=call_id(writer.epoch, n),
                at_ns=now_ns + n * 100_000 - n % 64 * 1_000_000,
                cells=cells,
                sightings=(Sighting(3, f"/src/{n}.py", marks),) if kind == "sighted" else (),
            )
            writer.append(KIND_CALL, encode(one))


class Plane:
    """The consumers of one state directory, as the control process puts them together."""

    def __init__(self, folder: Path, kind: str) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "flight").mkdir(exist_ok=True)
        (folder / "journal").mkdir(exist_ok=True)
        book = PriceBook(compile_prices(PriceSettings()))
        self.rows = budgets(kind)
        self.feed = CallFeed(folder / "journal")
        self.table = UsageTable(folder / "usage.sqlite", Guardian(lambda of, model: book.lookup(of, model).row))
        self.counters = ControlCounters(Database(folder / "counters.sqlite"))
        self.charging = Charging(self.counters, History(self.table), self.feed, folder / "flight", lambda: self.rows)
        self.charging.step()  # takes the budgets over while nothing is recorded yet

    def leased(self, epoch: str) -> tuple[int, ...]:
        """The numbers of the hard budgets' cells, of which the worker has leased enough for all that follows."""
        now_ns = wall_ns()
        parts = tuple(
            Part(CellKey(row.id, row.created_ns, "", step_of(row, now_ns)[0]), ONLY_THIS, row.usd_nano)
            for row in self.rows
        )
        ask = Ask(1, parts, USD, USD, False, 1 << 62)
        return self.counters.exchange(epoch, [], [ask], [], 1 << 62, 0).answers[0].cells

    def close(self) -> None:
        self.counters.close()
        self.table.close()


@contextmanager
def timed(figures: dict[str, float], name: str, count: int) -> Iterator[None]:
    gc.collect()
    begun = time.process_time()
    yield
    figures[name] = (time.process_time() - begun) / count * 1e6


def measure(folder: Path, kind: str, count: int) -> dict[str, float]:
    """Microseconds a record of each part, and of all parts as they work together."""
    (folder / "made").mkdir(parents=True)
    made = template(folder / "made", kind)
    plane = Plane(folder / "plane", kind)
    figures: dict[str, float] = {}
    try:
        cells = plane.leased("0123456789ab") if kind == "budgeted" else ()
        fill(folder / "plane", kind, made, cells, count)
        (epoch,) = plane.feed.epochs()
        reader, position = JournalReader(folder / "plane" / "journal"), START
        with timed(figures, "read", count):
            while (batch := reader.read(epoch, position, BATCH)).more:
                position = batch.position
        position = START
        feed = CallFeed(folder / "plane" / "journal")
        with timed(figures, "read, decode", count):
            while (found := feed.calls(epoch, position, BATCH)).more:
                position = found.position
        if not plane.rows:
            plane.charging.look_after()  # nothing is leased: nothing can be charged
        with timed(figures, "all", count):
            more = True
            while more:
                begun = time.process_time()
                more = plane.table.take(plane.feed, epoch, BATCH).more
                figures["count"] = figures.get("count", 0.0) + (time.process_time() - begun) / count * 1e6
                plane.charging.step()
        if plane.table.count() != count:
            raise RuntimeError(f"{plane.table.count()} of {count} calls are counted")
        spent = sum(cell.figures.spent_nano for row in plane.rows for cell in plane.counters.cells(row.id, 1))
        if spent != len(plane.rows) * count * made.cost_nano:
            raise RuntimeError(f"{spent} nano-dollars are charged, not {count} calls to {len(plane.rows)} budgets")
    finally:
        plane.close()
    figures["charge"] = figures["all"] - figures["count"]
    figures["count"] -= figures["read, decode"]
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.micro.control", description=__doc__)
    parser.add_argument("--records", type=int, default=RECORDS, help=f"records of each kind  [{RECORDS}]")
    parser.add_argument("--only", choices=KINDS, action="append", help="only this kind (repeatable)")
    chosen = parser.parse_args()
    columns = ("read", "read, decode", "count", "charge", "all")
    try:
        with only_one():
            print(f"{'µs a record':12}" + "".join(f"{name:>14}" for name in columns))
            for kind in chosen.only or KINDS:
                with tempfile.TemporaryDirectory(prefix="fastgate-control-") as folder:
                    figures = measure(Path(folder), kind, chosen.records)
                print(f"{kind:12}" + "".join(f"{figures[name]:14.2f}" for name in columns), flush=True)
    except BusyError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
