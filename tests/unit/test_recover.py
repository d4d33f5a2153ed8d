"""The reaper: every call of a dead worker is recorded once, whatever happens to the reaper itself."""

import errno
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fastgate._core.flight import FlightTable
from fastgate._core.segment import append
from fastgate._core.usage import Usage as SeenUsage
from fastgate.control import recover as reaper
from fastgate.control.recover import Recovery, recover
from fastgate.journal import KIND_CALL, JournalFull, JournalReader, JournalWriter, call_id, new_epoch
from fastgate.journal import flight as flights
from fastgate.journal.flight import fit_note
from fastgate.record import CallRecord, Usage
from tests.model import journal as model
from tests.support.flights import PRICE, NewWriter, decode_record, encode, note, record


class House:
    """A state directory with one worker that has died. `journalled` calls reached its journal, `flying` did not."""

    def __init__(self, folder: Path, new_writer: NewWriter) -> None:
        self._new_writer = new_writer
        self.journal_dir = folder / "journal"
        self.flight_dir = folder / "flight"
        self.flight_dir.mkdir()
        self.writers: list[JournalWriter] = []

    def worker(self) -> tuple[FlightTable, JournalWriter]:
        journal = self._new_writer(self.journal_dir)
        return FlightTable.create(self.flight_dir / f"{journal.epoch}.flight", journal.epoch, 16), journal

    def writer(self) -> JournalWriter:
        self.writers.append(self._new_writer(self.journal_dir))
        return self.writers[-1]

    def recover(self, unknown_usage: reaper.UnknownUsage = "seen") -> Recovery:
        return recover(self.flight_dir, self.journal_dir, self.writer, unknown_usage)

    def records(self) -> list[CallRecord]:
        reader = JournalReader(self.journal_dir)
        return [decode_record(r.body) for epoch in reader.epochs() for r in reader.records(epoch)]

    def tables(self) -> list[str]:
        return sorted(path.suffix for path in self.flight_dir.iterdir())


@pytest.fixture
def house(tmp_path: Path, new_writer: NewWriter) -> House:
    return House(tmp_path, new_writer)


def crash(house: House, flying: int = 3, journalled: int = 2, **changes: Any) -> str:
    """A worker with `journalled` calls written but not yet released and `flying` in flight; returns its epoch."""
    table, journal = house.worker()
    for n in range(1, journalled + flying + 1):
        slot = table.claim(n, 1_790_000_000_000_000_000 + n, fit_note(note(**changes)))
        table.note_usage(slot, SeenUsage.of(input_tokens=100 * n, output_tokens=1, seen=True, final=False), 10)
        if n <= journalled:
            journal.append(KIND_CALL, encode(record(call_id(journal.epoch, n))))
    journal.close()
    return journal.epoch


def test_calls_in_flight_are_recorded_with_what_was_known(house: House) -> None:
    epoch = crash(house, flying=1, journalled=1)
    assert house.recover() == Recovery(1, 1, 100 * 2 * 3000 + 5 * 15_000, 0)
    found = {one.id: one for one in house.records()}
    assert set(found) == {f"fg-{epoch}-1", f"fg-{epoch}-2"}
    one = found[f"fg-{epoch}-2"]
    assert one.outcome == "recovered"
    assert one.usage == Usage(200, 5), "ten bytes of output are at least five tokens"
    assert (one.usage_state, one.cost_nano) == ("partial", 675_000)
    assert one.at_ns == 1_790_000_000_000_000_002
    plain, source = record(one.id), note()
    for field in ("org", "team", "user", "key", "cost_center", "tags", "session", "model_asked", "model_used",
                  "endpoint", "provider", "route", "stream", "policy", "system_sha256", "request_bytes"):  # fmt: skip
        assert getattr(one, field) == getattr(source, field) == getattr(plain, field)
    assert one.tools == list(source.tools)
    assert [(attempt.endpoint, attempt.cost_nano) for attempt in one.attempts] == [("anthropic-a", 675_000)]
    assert house.tables() == []


def test_the_same_sweep_again_finds_nothing(house: House) -> None:
    crash(house)
    assert house.recover().calls == 3
    assert house.recover() == Recovery(0, 0, 0, 0)
    assert len(house.writers) == 1, "no epoch is opened for nothing"


def test_a_living_worker_is_left_alone(house: House) -> None:
    table, _ = house.worker()
    table.claim(1, 1, fit_note(note()))
    assert house.recover() == Recovery(0, 0, 0, 0)
    assert house.tables() == [".flight"]
    table.close()
    assert house.recover().calls == 1


def test_several_dead_workers(house: House) -> None:
    epochs = [crash(house, flying=n) for n in (1, 2, 3)]
    assert house.recover().tables == 3
    counts = Counter(one.id for one in house.records())
    assert set(counts.values()) == {1}
    assert {identity.split("-")[1] for identity in counts} == set(epochs)
    assert len(counts) == 6 + 6


STEPS = ["the reaper's mark", "record 1", "record 2", "record 3", "the sync", "the table's end"]


class Killed(BaseException):
    """Nothing catches this, as nothing catches a kill."""


class Killer:
    """Counts the system calls that change something and kills at one of them: before it, after it, or, in a write,
    when `torn` bytes have been written."""

    def __init__(self, step: int, how: str, torn: int) -> None:
        self.step, self.how, self.torn = step, how, torn
        self.steps = 0

    def watch(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            self.steps += 1
            if self.steps != self.step + 1:
                return real(*args, **more)
            if self.how == "after":
                real(*args, **more)
            elif real is append:
                fd, *head, (body,) = args
                os.write(fd, model.frame(*head, body)[: self.torn])
            raise Killed

        return call

    def arm(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr("fastgate.journal.writer._write", self.watch(append))
        patch.setattr(os, "pwrite", self.watch(os.pwrite))
        patch.setattr(os, "fdatasync", self.watch(os.fdatasync))
        patch.setattr(Path, "unlink", self.watch(Path.unlink))


def test_recovery_is_these_steps(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    crash(house, flying=3)
    killer = Killer(99, "before", 0)
    with monkeypatch.context() as patch:
        killer.arm(patch)
        house.recover()
    assert killer.steps == len(STEPS)


@pytest.mark.parametrize(("how", "torn"), [("before", 0), ("before", 11), ("before", 60), ("after", 0)])
@pytest.mark.parametrize("step", range(len(STEPS)), ids=STEPS)
def test_a_crash_at_any_step_loses_nothing_and_doubles_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch, step: int, how: str, torn: int
) -> None:
    epoch = crash(house, flying=3)
    with monkeypatch.context() as patch:
        Killer(step, how, torn).arm(patch)
        with pytest.raises(Killed):
            house.recover()
    for writer in house.writers:
        writer.close()
    house.recover()
    assert Counter(one.id for one in house.records()) == {f"fg-{epoch}-{n}": 1 for n in range(1, 6)}
    assert house.tables() == []


@pytest.mark.parametrize("step", range(len(STEPS)), ids=STEPS)
def test_a_failed_sweep_is_completed_by_the_same_process(
    house: House, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    epoch = crash(house, flying=3)
    writer = house.writer()
    house.writer = lambda: writer  # type: ignore[method-assign]
    with monkeypatch.context() as patch:
        Killer(step, "before", 0).arm(patch)
        with pytest.raises(Killed):
            house.recover()
    house.recover()
    assert Counter(one.id for one in house.records()) == {f"fg-{epoch}-{n}": 1 for n in range(1, 6)}
    assert house.tables() == []


def test_a_full_disk_is_told_and_the_rest_follows_later(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    epoch = crash(house)
    left = 1

    def write(*record: Any) -> int:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return append(*record)

    with monkeypatch.context() as patch:
        patch.setattr("fastgate.journal.writer._write", write)
        with pytest.raises(JournalFull):
            house.recover()
    assert house.tables() == [".flight"]
    assert house.recover().calls == 2
    assert Counter(one.id for one in house.records()) == {f"fg-{epoch}-{n}": 1 for n in range(1, 6)}


def test_final_usage_is_exact_and_the_floor_adds_nothing(house: House) -> None:
    table, journal = house.worker()
    slot = table.claim(1, 1, fit_note(note()))
    table.note_usage(slot, SeenUsage.of(input_tokens=7, output_tokens=2, web_search=3, final=True), 1000)
    table.close()
    journal.close()
    house.recover("bound")
    (one,) = house.records()
    assert (one.usage, one.usage_state) == (Usage(7, 2, 0, 0, 0, {"web_search": 3}), "exact")
    assert one.cost_nano == 7 * 3000 + 2 * 15_000 + 3 * 10_000_000


@pytest.mark.parametrize(
    ("seen", "unknown_usage", "state", "cost_nano"),
    [
        (True, "seen", "partial", 100 * 3000 + 50 * 15_000),
        (True, "bound", "partial", 2_000_000_000),
        (False, "seen", "missing", 1000 * 3000 + 50 * 15_000),
        (False, "bound", "missing", 2_000_000_000),
    ],
)
def test_unknown_usage_is_never_free(
    house: House, seen: bool, unknown_usage: reaper.UnknownUsage, state: str, cost_nano: int
) -> None:
    table, journal = house.worker()
    slot = table.claim(1, 1, fit_note(note(request_bytes=4000, bound_nano=2_000_000_000)))
    table.note_usage(slot, SeenUsage.of(input_tokens=100 if seen else 0, seen=seen, final=False), 100)
    table.close()
    journal.close()
    house.recover(unknown_usage)
    (one,) = house.records()
    assert (one.usage_state, one.cost_nano) == (state, cost_nano)


def test_a_free_route_stays_free_and_earlier_attempts_are_kept(house: House) -> None:
    table, journal = house.worker()
    table.claim(1, 1, fit_note(note(route="count_tokens", bound_nano=5)))
    slot = table.claim(2, 1, fit_note(note(price=PRICE.ints(), request_bytes=4, spent_nano=1_000_000)))
    table.note_usage(slot, SeenUsage.of(seen=False, final=False), 0)
    table.claim(3, 1, fit_note(note(endpoint="", price=())))
    table.close()
    journal.close()
    house.recover()
    free, later, undialled = house.records()
    assert (free.route, free.cost_nano, free.usage_state) == ("count_tokens", 0, "none")
    assert later.cost_nano == 3000 + 1_000_000
    assert (undialled.attempts, undialled.cost_nano) == ([], 0)


@pytest.mark.parametrize("unknown_usage", ["seen", "bound"])
def test_an_attempt_that_was_still_to_be_sent_costs_nothing_and_the_one_before_it_once(
    house: House, unknown_usage: reaper.UnknownUsage
) -> None:
    table, journal = house.worker()
    stated = SeenUsage.of(input_tokens=100_000, output_tokens=10, seen=True, final=False)
    for n in (1, 2):
        slot = table.claim(n, 1, fit_note(note(request_bytes=4000, bound_nano=2_000_000_000)))
        table.note_usage(slot, stated, 0)
        table.amend(slot, fit_note(note(request_bytes=4000, bound_nano=2_000_000_000, spent_nano=1_000_000)))
        if n == 2:
            table.note_usage(slot, SeenUsage.of(input_tokens=7, seen=True, final=True), 0)
    table.close()
    journal.close()
    house.recover(unknown_usage)
    dialling, answered = house.records()
    assert (dialling.cost_nano, dialling.usage_state, dialling.usage.input_tokens) == (1_000_000, "none", 0)
    assert (answered.usage_state, answered.usage.input_tokens) == ("exact", 7)
    assert answered.cost_nano == 1_000_000 + PRICE.cost(SeenUsage.of(input_tokens=7))


@pytest.mark.parametrize("unknown_usage", ["seen", "bound"])
def test_the_first_attempt_too_costs_nothing_until_it_is_sent(house: House, unknown_usage: reaper.UnknownUsage) -> None:
    table, journal = house.worker()
    plain = note(request_bytes=4000, bound_nano=2_000_000_000)
    slot = table.claim(1, 1, fit_note(plain))
    table.note_usage(slot, SeenUsage.of(input_tokens=9, seen=True), 0)
    table.release(slot)
    assert table.claim(2, 1, fit_note(plain)) == slot, "what the slot held before is another call's"
    table.note_usage(table.claim(3, 1, fit_note(plain)), SeenUsage.of(seen=False, final=False), 0)
    table.close()
    journal.close()
    house.recover(unknown_usage)
    dialling, sent = house.records()
    assert (dialling.cost_nano, dialling.usage_state, dialling.usage.input_tokens) == (0, "none", 0)
    assert (sent.cost_nano, sent.usage_state) == (2_000_000_000 if unknown_usage == "bound" else 3_000_000, "missing")


def test_impossible_figures_are_charged_at_the_bound(house: House) -> None:
    table, journal = house.worker()
    table.note_usage(table.claim(1, 1, fit_note(note())), SeenUsage.of(seen=False, final=False), 0)
    table.close()
    journal.close()
    (path,) = house.flight_dir.iterdir()
    data = bytearray(path.read_bytes())
    data[4096 + 40 : 4096 + 48] = (-5).to_bytes(8, "little", signed=True)
    data[4096 + 4] = flights.FLAG_SEEN | flights.FLAG_FINAL
    path.write_bytes(data)
    house.recover()
    (one,) = house.records()
    assert (one.cost_nano, one.usage_state) == (2_000_000_000, "missing")


def test_what_cannot_be_read_is_kept_aside(house: House) -> None:
    table, journal = house.worker()
    for n in (1, 2):
        table.claim(n, n, fit_note(note()))
    table.close()
    journal.close()
    (path,) = house.flight_dir.iterdir()
    data = bytearray(path.read_bytes())
    data[4096 + 130] ^= 1
    path.write_bytes(data)
    (house.flight_dir / "0123456789ab.flight").write_bytes(b"no table at all")
    done = house.recover()
    assert (done.calls, done.unreadable) == (1, 2)
    assert house.tables() == [".damaged", ".damaged"]
    assert house.recover() == Recovery(0, 0, 0, 0)


def test_old_segments_are_not_searched(house: House) -> None:
    table, journal = house.worker()
    table.claim(1, 1_790_000_000_000_000_000, fit_note(note()))
    journal.append(KIND_CALL, encode(record(call_id(journal.epoch, 1))))
    segment = house.journal_dir / journal.epoch / "00000001.fgj"
    began = 1_790_000_000_000_000_000
    assert reaper.recorded(house.journal_dir, [journal.epoch], began) == {f"fg-{journal.epoch}-1"}
    os.utime(segment, ns=(began - 1, began - 1))
    assert reaper.recorded(house.journal_dir, [journal.epoch], began) == set()


def test_unfinished_tables_go_away_once_they_are_old(house: House) -> None:
    old, young = (house.flight_dir / f"{new_epoch()}.flight.{pid}.new" for pid in (1, 2))
    for path in (old, young):
        path.write_bytes(b"")
    os.utime(old, (1, 1))
    house.recover()
    assert list(house.flight_dir.iterdir()) == [young]


def test_the_estimate_of_unstated_input_is_the_ledgers() -> None:
    from fastgate.gateway.rooms import ledger

    assert reaper.INPUT_BYTES_PER_TOKEN == ledger.INPUT_BYTES_PER_TOKEN
