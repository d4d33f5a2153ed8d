"""Laws of the tally: what is read of a call's record is what the record says, whoever wrote it in whatever version; and
nothing is read of bytes that say something else."""

import random
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate._core.tally import Tally, alike, charge_once, newest, paid, read_call
from fastgate.control.feed import CallFeed, Odd, _slowly
from fastgate.control.feed import decode as decode_needed
from fastgate.journal import KIND_CALL, JournalWriter, Record, call_id
from fastgate.record import CallRecord, Placed, Sighting, Usage
from tests.model import tally as model
from tests.model.tally import Model, tally
from tests.support.flights import encode, record

INT64_MAX = (1 << 63) - 1

TEXT = st.text(max_size=20) | st.sampled_from(["x" * 31, "x" * 32, "x" * 255, "x" * 256])
FIGURE = st.integers(-(1 << 63), INT64_MAX) | st.integers(-200, 300)
WORKER = st.text(st.characters(exclude_characters="-", exclude_categories=["Cs"]), max_size=12)
FIGURES = ("at_ns", "cost_nano", "cost_asked_nano", "saved_nano", "saved_downgrade_nano", "saved_arbitration_nano",
           "status", "request_bytes")  # fmt: skip
TEXTS = ("org", "team", "user", "key", "cost_center", "session", "agent", "model_asked", "model_used", "endpoint",
         "provider", "cache", "namespace", "stop_reason", "routed")  # fmt: skip

CHANGES = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(FIGURES, FIGURE),
        **dict.fromkeys(TEXTS, TEXT),
        "tags": st.dictionaries(TEXT, TEXT, max_size=3),
        "outcome": st.sampled_from(["ok", "refused", "recovered"]),
        "usage_state": st.sampled_from(["exact", "partial", "missing", "none"]),
        "usage": st.builds(Usage, FIGURE, FIGURE, FIGURE, FIGURE, FIGURE, st.dictionaries(TEXT, FIGURE, max_size=2)),
        "cells": st.lists(st.integers(0, INT64_MAX), max_size=20).map(tuple),
        "tools": st.lists(TEXT, max_size=20),
        "prefix": st.binary(max_size=300),
        "placed": st.none() | st.builds(Placed, TEXT, FIGURE),
        "sightings": st.lists(st.builds(Sighting, st.integers(0, 9), TEXT, st.binary(max_size=99)), max_size=20).map(
            tuple
        ),
    },
)


def said(call: Tally) -> Model:
    row = call.row(1, 2, 3, 4)
    kind, thread, cells = (
        msgspec.msgpack.decode(head + raw)
        for head, raw in ((b"\x9d", call.kind), (b"\x92", call.thread), (b"", call.cells))
    )
    assert (row[0], row[3:5], row[15:]) == (1, (2, 3), (4, call.segment, call.offset, None, 0))
    assert (row[1], row[2], row[5]) == (call.number, call.at_ns, call.cost_nano)
    shown = tuple(msgspec.msgpack.decode(call.shown, type=list[Sighting])) if call.shown else ()
    figures = (row[2], *row[5:15])
    return Model(call.worker.decode(), row[1], figures, kind, thread, tuple(cells), shown, bool(call.body))


@given(WORKER, st.integers(0, 10**18 - 1), CHANGES)
def test_what_is_read_is_what_the_record_says(worker: str, number: int, changes: dict[str, Any]) -> None:
    body = encode(record(call_id(worker, number), **changes))
    call = read_call(body, 3, 1 << 40, 1 << 50)
    assert call is not None
    assert (call.segment, call.offset, call.sequence) == (3, 1 << 40, 1 << 50)
    assert said(call) == tally(body)
    assert call.body in (b"", body)


@given(CHANGES, st.integers(39, 60))
def test_records_of_other_versions_are_read_as_well(changes: dict[str, Any], fields: int) -> None:
    """Older ones end sooner, and newer ones have what nobody here knows."""
    whole = msgspec.to_builtins(record("fg-0123456789ab-7", **changes), builtin_types=(bytes,))
    whole = [*whole, {"a": [1.5, None, True, b"x" * 300]}, -1, "what" * 90, [[]] * 20][:fields]
    body = encode(whole)
    call = read_call(body, 1, 2, 3)
    assert (call is None) == (len(whole) < len(CallRecord.__struct_fields__))
    found = call or _slowly(Record(1, 2, 1, KIND_CALL, 0, 3, body))
    assert isinstance(found, Tally)
    assert said(found) == tally(body)


@given(CHANGES, st.integers(0, 1 << 60), st.integers(1, 4))
def test_broken_bytes_say_nothing_else(changes: dict[str, Any], seed: int, flips: int) -> None:
    draw = random.Random(seed)
    body = bytearray(encode(record("fg-0123456789ab-7", **changes)))
    for _ in range(flips):
        body[draw.randrange(len(body))] = draw.randrange(256)
    broken = bytes(body[: draw.randrange(len(body) + 1)] if draw.random() < 0.3 else body)
    call = read_call(broken, 1, 2, 3)
    try:
        needed = decode_needed(broken)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return  # what is not text is found out where the texts are first looked at
    slow = _slowly(Record(1, 2, 1, KIND_CALL, 0, 3, broken))
    if call is not None:
        assert isinstance(slow, Tally)
        assert call.row(1, 2, 3, 4) == slow.row(1, 2, 3, 4)
        try:
            expected = said(slow)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return  # what was new to the model is looked at later still
        assert said(call) == expected
    elif isinstance(slow, Tally):
        assert (slow.number, slow.cost_nano) == (int(needed.id.split("-")[2]), needed.cost_nano)


@pytest.mark.parametrize("size", [0, 15, 16, 31, 32, 255, 256, 65_535, 65_536])
def test_every_length_is_read(size: int) -> None:
    text, many = "x" * size, [str(n) for n in range(size)]
    shown = (Sighting(1, text, b"m" * size),) * min(size, 300)
    changes: dict[str, Any] = {"org": text, "namespace": text, "tags": dict.fromkeys(many[:300], ""), "tools": many}
    body = encode(record("fg-0123456789ab-7", prefix=b"p" * size, sightings=shown, **changes))
    call = read_call(body, 1, 2, 3)
    assert call is not None
    assert said(call) == tally(body)


def test_what_no_number_of_64_bits_says_is_no_call() -> None:
    def odd(body: bytes) -> str:
        found = _slowly(Record(1, 2, 1, KIND_CALL, 0, 3, body))
        assert isinstance(found, Odd)
        return found.why

    assert "beyond 64 bits" in odd(encode(record("fg-0123456789ab-7", cost_nano=1 << 63)))
    for bad in ("fg-0123456789ab", "fg-0123456789ab-07", "fg-0123456789ab-x", "xx-0123456789ab-7", "fg-a-b-7", ""):
        assert odd(encode(record(bad))) == f"{bad!r} is no call's id"
    assert odd(b"\xc1") and odd(b"") and odd(encode([1, 2]))
    assert odd(encode(record("fg-0123456789ab-7"))[:-1] + b"\xc0\xc0")


FEW = st.fixed_dictionaries(
    {
        "org": st.sampled_from("ab"), "session": st.sampled_from("ab"), "cost_nano": st.sampled_from([0, 1, 9]),
        "cells": st.sampled_from([(), (1,), (1, 2)]), "at_ns": st.integers(0, 9),
    }
)  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(["w", "v"]), FEW), max_size=12), st.booleans(), st.booleans())
def test_calls_that_budgets_cannot_tell_apart(drawn: list[Any], by_thread: bool, shared: bool) -> None:
    """Whether they follow one another in a journal, and share what they have in common, or not."""
    bodies = [encode(record(call_id(worker, n), **changes)) for n, (worker, changes) in enumerate(drawn)]
    calls: list[Any] = [read_call(body, 1, 0, n) for n, body in enumerate(bodies)]
    if shared:
        with TemporaryDirectory() as folder, closing(JournalWriter.create(Path(folder))) as writer:
            for body in bodies:
                writer.append(KIND_CALL, body)
            calls = list(CallFeed(Path(folder)).calls(writer.epoch).found)
    odd = Odd(1, 0, 99, "none")
    groups = alike([odd, *calls, odd], by_thread)
    assert [[call.number for call in group] for group in groups] == model.alike(list(map(tally, bodies)), by_thread)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=12), st.integers(0, 9), st.integers(0, 9))
def test_calls_of_one_span_are_paid_together(times: list[int], from_ns: int, last_ns: int) -> None:
    calls: list[Any] = [
        read_call(encode(record(call_id("w", n), at_ns=at_ns, cost_nano=n + 1)), 1, 0, n)
        for n, at_ns in enumerate(times)
    ]
    within = [n == 0 or from_ns <= at_ns <= last_ns for n, at_ns in enumerate(times)]
    costs, rest = paid(calls, from_ns, last_ns)
    assert costs == [(n, n + 1) for n, inside in enumerate(within) if inside]
    assert rest == [call for call, inside in zip(calls, within, strict=True) if not inside]


@given(st.lists(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 1 << 62)), max_size=8), max_size=4))
def test_a_call_is_charged_once(batches: list[list[tuple[int, int]]]) -> None:
    pages: dict[int, bytearray] = {}
    charged: set[int] = set()
    for calls in batches:
        told = charge_once(calls, 4, lambda at: pages.setdefault(at, bytearray(4)))
        assert told == model.charge_once(calls, charged)
    assert {4 * at + n for at, page in pages.items() for n, mark in enumerate(page) if mark} == charged


def test_a_page_that_is_none_marks_nothing() -> None:
    with pytest.raises(ValueError, match="a page of 3 calls"):
        charge_once([(1, 1)], 4, lambda at: bytearray(3))
    with pytest.raises(ValueError, match="-1 is no call's number"):
        charge_once([(-1, 1)], 4, lambda at: bytearray(4))


@given(st.lists(st.integers(0, 40), max_size=6), st.integers(0, 6000))
def test_the_newest_that_fit(sessions: list[int], most_bytes: int) -> None:
    found: list[Any] = [read_call(encode(record("fg-w-1", session="s" * n)), 1, 0, 1) for n in sessions]
    found.insert(len(found) // 2, Odd(1, 0, 2, "none"))
    sizes = [sum(one.size for one in found[len(found) - n :]) for n in range(len(found) + 1)]
    assert newest(found, most_bytes) == max(n for n, size in enumerate(sizes) if size <= most_bytes)
