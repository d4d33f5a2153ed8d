"""Law of the feed: whoever reads, in whatever steps, gets what the journal itself gives, decoded."""

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate._core.tally import Tally
from fastgate.control import feed as feeds
from fastgate.control.feed import CallFeed, Odd
from fastgate.journal import KIND_CALL, START, JournalReader, JournalWriter, Position, call_id
from fastgate.journal.format import segment_path, segments_of
from fastgate.record import Sighting
from tests.support.flights import encode, record

READERS = 2

CALL_BYTES = 700
"""A little more than a call of these tests takes in memory."""


class Read(NamedTuple):
    """One reader goes on by at most `most` records."""

    who: int
    most: int


class Write(NamedTuple):
    """So many calls are appended; of the last a byte may rot before anybody reads it, or it is no call."""

    count: int
    rotten: bool
    strange: bool


RARELY = st.sampled_from([False, False, False, True])

STEPS = st.lists(
    st.builds(Read, st.integers(0, READERS - 1), st.integers(1, 9))
    | st.builds(Write, st.integers(1, 6), RARELY, RARELY),
    min_size=1,
    max_size=30,
)


def write(writer: JournalWriter, journal_dir: Path, step: Write, n: int) -> int:
    for left in reversed(range(step.count)):
        n += 1
        last = not left
        body = b"\xc1" if last and step.strange else encode(record(call_id(writer.epoch, n), cost_nano=n))
        writer.append(KIND_CALL, body)
    if step.rotten:
        path = segment_path(journal_dir, writer.epoch, segments_of(journal_dir, writer.epoch)[-1])
        with path.open("r+b") as file:
            file.seek(-1, 2)
            (byte,) = file.read(1)
            file.seek(-1, 2)
            file.write(bytes([byte ^ 0x55]))
    return n


@given(steps=STEPS, kept=st.integers(1, 12), segment_bytes=st.sampled_from([1, 2_000, 1 << 20]))
def test_every_reader_gets_what_the_journal_gives(steps: list[Read | Write], kept: int, segment_bytes: int) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(feeds, "KEPT_BYTES", kept * CALL_BYTES)
        journal_dir = Path(folder)
        writer = JournalWriter.create(journal_dir, segment_bytes=segment_bytes)
        feed, plain = CallFeed(journal_dir), JournalReader(journal_dir)
        at, expected = [START] * READERS, [START] * READERS
        n = 0

        def compare(who: int, most: int, *, closed: bool) -> bool:
            found = feed.calls(writer.epoch, at[who], most, closed=closed)
            there = plain.read(writer.epoch, expected[who], most, closed=closed)
            places = [(one.segment, one.offset, one.sequence) for one in found.found]
            assert places == [(one.segment, one.offset, one.sequence) for one in there.records]
            assert (found.damage, found.more) == (there.damage, there.more)
            assert found.position.sequence == there.position.sequence
            for one, record in zip(found.found, there.records, strict=True):
                if record.body == b"\xc1":
                    assert isinstance(one, Odd)
                    assert one.why
                else:
                    assert isinstance(one, Tally)
                    assert (one.worker.decode(), one.cost_nano) == (writer.epoch, one.number)
            at[who], expected[who] = found.position, there.position
            return there.more

        for step in steps:
            if isinstance(step, Write):
                n = write(writer, journal_dir, step, n)
            else:
                compare(step.who, step.most, closed=False)
        writer.close()
        for who in range(READERS):
            while compare(who, 5, closed=True):
                pass


def test_a_record_is_decoded_once_for_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    real = feeds.whole_calls

    def noted(*of: Any) -> Any:
        found, at = real(*of)
        read.extend(call.number for call in found)
        return found, at

    monkeypatch.setattr(feeds, "whole_calls", noted)
    writer = JournalWriter.create(tmp_path)
    feed = CallFeed(tmp_path)
    one, other = START, START
    for n in range(1, 21):
        writer.append(KIND_CALL, encode(record(call_id(writer.epoch, n))))
        if n % 2:
            one = feed.calls(writer.epoch, one).position
        if n % 5 == 0:
            other = feed.calls(writer.epoch, other).position
    assert feed.calls(writer.epoch, one).position == feed.calls(writer.epoch, other).position
    assert read == list(range(1, 21))
    writer.close()


def test_little_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "KEPT_BYTES", 3 * CALL_BYTES)
    monkeypatch.setattr(feeds, "KEPT_EPOCHS", 2)
    feed = CallFeed(tmp_path)
    for _ in range(4):
        writer = JournalWriter.create(tmp_path)
        for n in range(1, 10):
            writer.append(KIND_CALL, encode(record(call_id(writer.epoch, n))))
        assert len(feed.calls(writer.epoch, Position(0, 0, 0)).found) == 9
        writer.close()
    assert [len(kept.found) for kept in feed._kept.values()] == [3, 3]


def test_large_records_are_kept_within_the_same_bytes(tmp_path: Path) -> None:
    writer = JournalWriter.create(tmp_path)
    feed = CallFeed(tmp_path)
    large = record("", prefix=b"p" * 9_000, sightings=(Sighting(1, "/a", b"m" * 600),) * 20)
    for n in range(1, 301):
        writer.append(KIND_CALL, encode(msgspec.structs.replace(large, id=call_id(writer.epoch, n))))
    writer.close()
    assert len(feed.calls(writer.epoch).found) == 300
    (kept,) = feed._kept.values()
    sizes = [len(one.body) + len(one.shown) for one in kept.found if isinstance(one, Tally)]
    assert 0.8 * feeds.KEPT_BYTES < sum(sizes) <= feeds.KEPT_BYTES


def test_nothing_is_kept_of_a_journal_that_all_have_read(tmp_path: Path) -> None:
    writer = JournalWriter.create(tmp_path)
    writer.append(KIND_CALL, encode(record(call_id(writer.epoch, 1))))
    writer.close()
    feed = CallFeed(tmp_path)
    assert len(feed.calls(writer.epoch, closed=True).found) == 1
    assert list(feed._kept) == [writer.epoch]
    assert len(feed.calls(writer.epoch, closed=True).found) == 1
    assert not feed._kept
