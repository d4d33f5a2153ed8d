"""The index, what is held in it, its log, and the threshold that verdicts move."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate.caching.purge import Purge
from fastgate.caching.semantic.calibration import CLOSED, Calibration, lowest, wilson
from fastgate.caching.semantic.embedder import StaticEmbedder
from fastgate.caching.semantic.local import LocalStore
from fastgate.caching.semantic.log_disk import DiskLog
from fastgate.caching.semantic.note import Note, Verdict, pack, unpack
from fastgate.caching.semantic.notes import Notes
from fastgate.caching.semantic.reading import read
from fastgate.caching.semantic.shelf import FLAT_MAX, Item, Shelf
from fastgate.caching.semantic.spoken import Spoken
from fastgate.snapshot_cache import SemanticRule

DIM = 16
HOUR_NS = 3600 * 1_000_000_000
RULE = SemanticRule("on", tool_results=False, user_turns=1, threshold=0.5)


def vector(seed: int) -> Any:
    drawn = np.random.default_rng(seed).standard_normal(DIM).astype(np.float32)
    return drawn / np.sqrt(drawn @ drawn)


def note(serial: int, text: str = "", org: str = "acme", partition: bytes = b"p", **changes: Any) -> Note:
    now_ns = time.time_ns()
    fields: dict[str, Any] = {
        "scope": ("org", org), "namespace": "", "partition": partition, "text": text or f"text of number {serial}",
        "embedder": "test", "vector": vector(serial).astype(np.float16).tobytes(), "find": serial.to_bytes(16, "big"),
        "proof": serial.to_bytes(32, "big"), "org": org, "team": "", "user": "", "key": "k", "model": "m",
        "started_ns": now_ns, "expires_ns": now_ns + HOUR_NS,
    }  # fmt: skip
    return Note(**fields | changes)


def spoken(text: str, at: Any, org: str = "acme", partition: bytes = b"p") -> Spoken:
    made = Spoken(("org", org), "", partition, text, RULE)
    made.vector = at
    return made


def notes(limit: int = 1000) -> Notes:
    return Notes("test", DIM, limit, 0.005)


# -- the index --------------------------------------------------------------------------------------------------------


def test_the_graph_answers_and_finds_what_a_scan_finds() -> None:
    """2,000 points in 40 partitions: the nearest of the same partition, with a handful of candidates looked at."""
    shelf, drawn = Shelf(DIM), random.Random(7)
    items = [note(n, text="equal words", partition=b"p%d" % (n % 40)) for n in range(2000)]
    for n, made in enumerate(items):
        shelf.add(Item(made, read(made.text)), vector(n))
    reading, found = read("equal words"), 0
    for _ in range(200):
        n = drawn.randrange(2000)
        moved = vector(n) + 0.1 * vector(5000 + n)
        moved = (moved / np.sqrt(moved @ moved)).astype(np.float32)
        best = max((m for m in range(2000) if m % 40 == n % 40), key=lambda m: float(vector(m) @ moved))
        near = list(shelf.near(b"p%d" % (n % 40), reading, moved))
        found += bool(near) and near[0][2].note == items[best]
        for similarity, _, item in near:
            assert similarity == pytest.approx(float(vector(int.from_bytes(item.note.find)) @ moved), abs=1e-3)
    assert found >= 196
    assert (shelf.searches, shelf.looked <= 4 * 200) == (200, True)


@pytest.mark.parametrize("size", [100, 3 * FLAT_MAX], ids=["flat", "graph"])
def test_what_is_dropped_is_not_found_and_its_room_is_used_again(size: int) -> None:
    shelf = Shelf(DIM)
    labels = [shelf.add(Item(note(n), read(f"text of number {n}")), vector(n)) for n in range(size)]
    room = shelf._room
    for label in labels[: size - 10]:
        shelf.drop(label)
    for n in range(2 * size, 3 * size - 10):
        shelf.add(Item(note(n), read(f"text of number {n}")), vector(n))
    assert (len(shelf), shelf._room) == (size, room)
    for n in (0, size // 2, size - 11):
        assert not list(shelf.near(b"p", read(f"text of number {n}"), vector(n)))
    for n in (size - 5, 2 * size + 5, 3 * size - 11):
        assert next(shelf.near(b"p", read(f"text of number {n}"), vector(n)))[2].note.find == n.to_bytes(16, "big")


def test_a_small_shelf_has_no_graph_and_a_large_one_brings_the_same() -> None:
    """A graph of one point takes 2.6 MB, and a session's shelf rarely holds more than a few."""
    shelf = Shelf(DIM)
    for n in range(FLAT_MAX):
        shelf.add(Item(note(n), read("text of number 1")), vector(n))
    asked = (b"p", read("text of number 1"), vector(7))
    before = [label for _, label, _ in shelf.near(*asked)]
    assert shelf._graph is None
    shelf.add(Item(note(FLAT_MAX), read("another text")), vector(FLAT_MAX))
    assert shelf._graph is not None and not shelf._flat
    assert next(label for _, label, _ in shelf.near(*asked)) == before[0] == 7


# -- what is held -----------------------------------------------------------------------------------------------------


def test_notes_are_bounded_and_the_oldest_make_room() -> None:
    held = notes(limit=10)
    for n in range(25):
        held.take(note(n, org=f"o{n % 3}"), 0)
    assert len(held) == sum(map(len, held.shelves.values())) == 10
    assert held.near(spoken("text of number 24", vector(24), "o0"))
    assert not held.near(spoken("text of number 3", vector(3), "o0"))


def test_times_of_notes_that_are_gone_do_not_pile_up() -> None:
    held = notes(limit=50)
    for n in range(2000):
        held.take(note(n % 500, text=f"text of number {n}", started_ns=n + 1, expires_ns=(1 << 61) + n), 0)
        held.take(note(0, started_ns=n + 1, expires_ns=(1 << 62) - n), 0)
        assert len(held._ends) <= 3 * held.limit
    assert len(held) == 50


@given(st.lists(st.tuples(st.sampled_from(["take", "drop", "expire"]), st.integers(0, 7), st.integers(1, 30))))
def test_a_note_goes_when_its_time_has_come_and_not_before(steps: list[tuple[str, int, int]]) -> None:
    held, ends, now_ns = notes(limit=8), {}, 0
    for serial, (what, n, moment) in enumerate(steps):
        if what == "take":
            held.take(note(n, started_ns=serial, expires_ns=now_ns + moment), now_ns)
            ends[n] = now_ns + moment
        elif what == "drop":
            held.drop(n.to_bytes(16, "big"))
            ends.pop(n, None)
        else:
            now_ns += moment
            held.expire(now_ns, 1000)
            ends = {n: at_ns for n, at_ns in ends.items() if at_ns > now_ns}
        assert {int.from_bytes(find) for find in held._held} == set(ends)


def test_of_a_question_the_last_note_counts() -> None:
    held = notes()
    now_ns = time.time_ns()
    held.take(note(1, started_ns=now_ns - 5), 0)
    held.take(note(1, started_ns=now_ns, model="newer"), 0)
    held.take(note(1, started_ns=now_ns - 9, model="older"), 0)
    (found,) = held.near(spoken("text of number 1", vector(1)))
    assert (found.note.model, len(held)) == ("newer", 1)


def test_notes_of_another_embedder_or_out_of_date_are_none() -> None:
    held = notes()
    held.take(note(1, embedder="another"), 0)
    held.take(note(2, expires_ns=5), 10)
    held.take(note(3, vector=b"\0\0"), 0)
    assert len(held) == 0


@given(st.lists(st.tuples(st.sampled_from(["acme", "evil", "third"]), st.integers(0, 5), st.booleans()), max_size=40))
def test_tenants_are_shelves_of_their_own(steps: list[tuple[str, int, bool]]) -> None:
    """Whoever may put in whatever he likes finds nothing of it in another tenant's, and a purge leaves others alone."""
    held, there = notes(), set()
    for org, n, purged in steps:
        if purged:
            held.drop_where(lambda each, org=org: each.org == org)
            there = {each for each in there if each[0] != org}
        else:
            held.take(note(n + 100 * ["acme", "evil", "third"].index(org), text=f"text {n}", org=org), 0)
            there.add((org, n))
    for org in ("acme", "evil", "third"):
        for n in range(6):
            found = held.near(spoken(f"text {n}", vector(n + 100 * ["acme", "evil", "third"].index(org)), org))
            assert all(each.note.org == org for each in found)
            assert any(each.similarity > 0.99 for each in found) == ((org, n) in there)


# -- the log ----------------------------------------------------------------------------------------------------------


def test_rows_are_what_was_written_or_nothing() -> None:
    row = note(1)
    blob = pack(row)
    assert unpack(blob) == row
    for place in range(len(blob)):
        damaged = bytearray(blob)
        damaged[place] ^= 4
        assert unpack(bytes(damaged)) is None


def test_the_log_is_bounded_and_followed(tmp_path: Path) -> None:
    log = DiskLog(tmp_path / "log", 50, DIM)
    for n in range(120):
        log.append([pack(note(n))])
    assert log.last() == 120
    assert [number for number, _ in log.after(0, 1000)] == list(range(71, 121))
    assert [number for number, _ in log.after(118, 1000)] == [119, 120]
    purge = Purge(before_ns=time.time_ns() + HOUR_NS, org="acme")
    assert log.drop(purge.matches) == 50
    assert log.after(0, 10) == []
    log.append([pack(note(1))])
    assert log.last() == 121
    assert [number for number, _ in log.after(120, 10)] == [121]
    log.close()


async def until(condition: Any) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_workers_follow_each_other_and_a_new_one_reads_it_all(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    path = tmp_path / "log"
    log = DiskLog(path, 1000, DIM)
    one = LocalStore(notes(), log, loop)
    await until(lambda: one.ready)
    for n in range(30):
        row = note(n)
        one.put(row, read(row.text), vector(n))
    assert len(one.notes) == 30
    verdict = Verdict(("org", "acme"), "", b"p", "acme", "", "", "k", "m", 1, 0.9, False)
    one.judge(verdict)

    def heard() -> bool:
        one.listen()
        return one.threshold(b"p") > 0

    await until(heard)
    assert len(one.notes) == 30
    one.close()
    log.close()
    log = DiskLog(path, 1000, DIM)
    two = LocalStore(notes(), log, loop)
    await until(lambda: two.ready)
    assert (len(two.notes), two.threshold(b"p")) == (30, CLOSED)
    two.obey([Purge(before_ns=time.time_ns() + HOUR_NS, org="acme")])
    assert len(two.notes) == 0
    two.close()
    log.close()


@pytest.mark.parametrize("dim", [256, 1900, 4096])
def test_the_log_holds_as_many_rows_whatever_the_embedder(tmp_path: Path, dim: int) -> None:
    rows_max = 6000
    log = DiskLog(tmp_path / "log", rows_max, dim)
    blob = pack(note(1, text="words " * 100, vector=bytes(2 * dim)))
    for _ in range(0, 2 * rows_max, 100):
        log.append([blob] * 100)
    assert len(log.after(0, 2 * rows_max)) == rows_max
    log.close()


def test_a_log_whose_rows_are_larger_than_planned_drops_the_oldest_and_goes_on(tmp_path: Path) -> None:
    log = DiskLog(tmp_path / "log", 1000, DIM)
    huge = pack(note(1, vector=bytes(256 * 1024)))
    for _ in range(200):
        log.append([huge])
    held = [number for number, _ in log.after(0, 1000)]
    assert held[-1] == log.last() == 200
    assert 0 < len(held) < 100
    log.resize(4000, DIM)
    for _ in range(100):
        log.append([huge])
    assert len(log.after(0, 1000)) > len(held)
    log.close()


def test_notes_that_have_expired_leave_memory_and_the_log(tmp_path: Path) -> None:
    held = notes()
    now_ns = time.time_ns()
    for n in range(20):
        held.take(note(n, expires_ns=now_ns + (1 + n % 2) * HOUR_NS), now_ns)
    held.take(note(1, expires_ns=now_ns + 3 * HOUR_NS, started_ns=now_ns + HOUR_NS), now_ns)  # answered anew
    held.expire(now_ns, 100)
    assert len(held) == 20
    held.expire(now_ns + HOUR_NS, 4)
    assert len(held) == 16
    held.expire(now_ns + 2 * HOUR_NS, 100)
    assert [place for place, _ in held._held.values()] == [(("org", "acme"), "")]
    held.expire(now_ns + 3 * HOUR_NS, 100)
    assert not held.shelves

    log = DiskLog(tmp_path / "log", 1000, DIM)
    for n in range(8):
        log.append([pack(note(n, expires_ns=now_ns + n % 2 * HOUR_NS))])
    log.append([pack(note(9))])
    assert [number for number, _ in log.after(0, 100)] == [2, 4, 6, 8, 9]
    log.close()


# -- the threshold ----------------------------------------------------------------------------------------------------


def test_verdicts_raise_the_threshold_and_only_they() -> None:
    made = Calibration(0.005)
    assert made.threshold == 0.0
    for _ in range(50):
        made.note(0.8, True)
    assert made.threshold == 0.0
    made.note(0.85, False)
    assert made.threshold == 0.0, "one of 51 shows nothing yet"
    made.note(0.86, False)
    made.note(0.87, False)
    assert made.threshold > 0.87
    made.note(0.95, True)
    assert made.threshold == 0.95


SEEN = st.lists(st.tuples(st.sampled_from([0.7, 0.8, 0.85, 0.9, 0.99]), st.booleans()), max_size=60)


@given(SEEN, st.sampled_from([0.0, 0.005, 0.1]))
def test_the_lowest_threshold_is_the_lowest(seen: list[tuple[float, bool]], bound: float) -> None:
    def shown(mark: float) -> float:
        judged = [agreed for similarity, agreed in seen if similarity >= mark]
        return wilson(judged.count(False), len(judged))[0]

    least = lowest(seen, bound)
    if least != CLOSED:
        assert shown(least) <= bound
    marks = sorted({0.0, *(similarity for similarity, _ in seen)})
    assert all(shown(mark) > bound for mark in marks if (mark < least and mark != marks[0]) or mark == 0.0 < least)


def test_a_static_vector_has_length_one_or_is_none() -> None:
    made = StaticEmbedder()
    for text in ("a", "the quick brown fox", "日本語 テキスト", "x" * 5000, "\ud800"):
        at = made.vector(text)
        assert at is None or float(at @ at) == pytest.approx(1, abs=1e-5)
    assert made.vector("?! ...") is None


def test_the_last_row_is_not_looked_up_while_another_thread_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Either may have to map the file anew, which LMDB forbids under the other's transaction."""
    log = DiskLog(tmp_path / "log", 1000, DIM)
    log.append([pack(note(1))])
    reading, go_on = threading.Event(), threading.Event()
    page = log._after

    def slow(number: int, count: int) -> list[tuple[int, bytes]]:
        reading.set()
        assert go_on.wait(10)
        return page(number, count)

    monkeypatch.setattr(log, "_after", slow)
    with ThreadPoolExecutor(2) as threads:
        rows = threads.submit(log.after, 0, 10)
        assert reading.wait(10)
        last = threads.submit(log.last)
        with pytest.raises(TimeoutError):
            last.result(0.2)
        go_on.set()
        assert [number for number, _ in rows.result(10)] == [last.result(10)] == [1]
    log.close()
