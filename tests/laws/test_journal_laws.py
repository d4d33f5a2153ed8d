"""Laws of the journal: any cut of the tail leaves exactly the complete prefix; any interleaving of writing and reading
reads everything once, in order; a failed write leaves nothing and costs nothing."""

import errno
import os
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fastgate._core.segment import append
from fastgate.journal import START, JournalError, JournalReader, JournalWriter, Position
from fastgate.journal.format import MAX_BODY_BYTES, epoch_number, segment_path
from tests.model import journal as model

_ftruncate = os.ftruncate

bodies = st.lists(st.binary(max_size=80), min_size=1, max_size=12)


@given(bodies, st.data(), st.integers(1, 255))
def test_the_bytes_are_those_of_the_format(written: list[bytes], data: st.DataObject, kind: int) -> None:
    with tempfile.TemporaryDirectory() as folder, closing(JournalWriter.create(Path(folder), node=3)) as writer:
        for body in written:
            writer.append(kind, body)
        path = segment_path(Path(folder), writer.epoch, 1)
        expected = [
            model.frame(kind, 3, epoch_number(writer.epoch), sequence, body) for sequence, body in enumerate(written, 1)
        ]
        assert path.read_bytes() == b"".join(expected)


@given(bodies, st.data())
def test_a_cut_anywhere_leaves_exactly_the_complete_prefix(written: list[bytes], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder, closing(JournalWriter.create(Path(folder))) as writer:
        for body in written:
            writer.append(1, body)
        path = segment_path(Path(folder), writer.epoch, 1)
        whole = path.read_bytes()
        cut = data.draw(st.integers(0, len(whole)))
        path.write_bytes(whole[:cut])
        reader = JournalReader(Path(folder))
        batch = reader.read(writer.epoch, closed=data.draw(st.booleans()))
        assert batch.damage == []
        assert [(r.kind, r.sequence, r.body) for r in batch.records] == model.whole_records(whole[:cut])
        path.write_bytes(whole)
        rest = reader.read(writer.epoch, batch.position)
        assert [r.body for r in batch.records + rest.records] == written


@given(bodies, st.data())
def test_one_wrong_byte_never_yields_a_wrong_record(written: list[bytes], data: st.DataObject) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(JournalWriter.create(Path(folder), segment_bytes=data.draw(st.integers(40, 400)))) as writer,
    ):
        for body in written:
            writer.append(1, body)
        paths = sorted((Path(folder) / writer.epoch).iterdir())
        path = data.draw(st.sampled_from(paths))
        spoilt = bytearray(path.read_bytes())
        at = data.draw(st.integers(0, len(spoilt) - 1))
        spoilt[at] ^= data.draw(st.integers(1, 255))
        path.write_bytes(spoilt)
        batch = JournalReader(Path(folder)).read(writer.epoch, closed=True)
        assert all(written[r.sequence - 1] == r.body for r in batch.records)
        sequences = [r.sequence for r in batch.records]
        assert sequences == sorted(set(sequences))
        lost = len(written) - len(sequences)
        assert lost >= 1
        is_last_record = sequences == list(range(1, len(written)))
        assert batch.damage or is_last_record, "what is lost is named, unless it looks like a tail cut by the kill"


class FailingDisk:
    """An append and an os.ftruncate that fail as told: the writer must leave a readable file whatever happens."""

    def __init__(self) -> None:
        self.next_write: int | None = None
        self.taken = 0
        self.whole = 0
        """Records that the failed write left whole."""
        self.truncate_fails = False

    def write(self, fd: int, kind: int, node: int, epoch: int, sequence: int, bodies: list[bytes]) -> int:
        failure, self.next_write = self.next_write, None
        if failure is None:
            return append(fd, kind, node, epoch, sequence, bodies)
        data = b"".join(model.frame(kind, node, epoch, n, body) for n, body in enumerate(bodies, sequence))
        left = data[: self.taken % len(data)]
        self.whole = len(model.whole_records(left))
        if left:
            os.write(fd, left)
        if failure == 0:
            return len(left)
        raise OSError(failure, os.strerror(failure))

    def ftruncate(self, fd: int, size: int) -> None:
        if self.truncate_fails:
            self.truncate_fails = False
            raise OSError(errno.EIO, "input/output error")
        _ftruncate(fd, size)


class JournalMachine(RuleBasedStateMachine):
    """One writer on a bad disk, two readers at their own pace, restarts of either."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.disk = FailingDisk()
        self.folder = tempfile.TemporaryDirectory()
        self.journal_dir = Path(self.folder.name)
        self.written: dict[str, list[bytes]] = {}
        self.seen: list[dict[str, list[bytes]]] = [{}, {}]
        self.positions: list[dict[str, Position]] = [{}, {}]

    @initialize(segment_bytes=st.integers(1, 500))
    def start(self, segment_bytes: int) -> None:
        self.segment_bytes = segment_bytes
        self.patch.setattr("fastgate.journal.writer._write", self.disk.write)
        self.patch.setattr("fastgate.journal.writer.os.ftruncate", self.disk.ftruncate)
        self.open_writer()

    def open_writer(self) -> None:
        self.writer = JournalWriter.create(self.journal_dir, segment_bytes=self.segment_bytes)
        self.written[self.writer.epoch] = []

    @rule(body=st.binary(max_size=100))
    def append(self, body: bytes) -> None:
        self.writer.append(1, body)
        self.written[self.writer.epoch].append(body)

    @rule(bodies=st.lists(st.binary(max_size=100), min_size=1, max_size=12))
    def extend(self, bodies: list[bytes]) -> None:
        written = self.written[self.writer.epoch]
        left = list(bodies)
        while left:
            count = self.writer.extend(1, left)
            assert count >= 1
            written += left[:count]
            del left[:count]

    @rule(
        bodies=st.lists(st.binary(min_size=1, max_size=100), min_size=1, max_size=4),
        code=st.sampled_from([0, errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EFBIG]),
        taken=st.integers(0, 600),
        truncate_fails=st.booleans(),
    )
    def fail(self, bodies: list[bytes], code: int, taken: int, truncate_fails: bool) -> None:
        self.disk.next_write, self.disk.taken, self.disk.truncate_fails = code, taken, truncate_fails
        try:
            count = self.writer.extend(1, bodies)
        except JournalError:
            # What a write that failed has left may be read, and is to be written again all the same.
            assert code or not self.disk.whole
            self.written[self.writer.epoch] += bodies[: self.disk.whole]
        else:
            assert not code
            assert count == self.disk.whole > 0
            self.written[self.writer.epoch] += bodies[:count]
        finally:
            self.disk.next_write, self.disk.truncate_fails = None, False

    @rule()
    def too_large(self) -> None:
        with pytest.raises(ValueError, match="takes up to"):
            self.writer.append(1, bytes(MAX_BODY_BYTES + 1))

    @rule()
    def restart_writer(self) -> None:
        self.writer.close()
        self.open_writer()

    @rule(who=st.integers(0, 1), most=st.integers(1, 5))
    def read(self, who: int, most: int) -> None:
        reader = JournalReader(self.journal_dir)
        for epoch in reader.epochs():
            closed = not reader.is_open(epoch)
            batch = reader.read(epoch, self.positions[who].get(epoch, START), most, closed=closed)
            assert batch.damage == []
            self.positions[who][epoch] = batch.position
            self.seen[who].setdefault(epoch, []).extend(record.body for record in batch.records)

    @invariant()
    def a_reader_has_seen_a_prefix(self) -> None:
        for seen in self.seen:
            for epoch, taken in seen.items():
                assert taken == self.written[epoch][: len(taken)]

    def teardown(self) -> None:
        if self.written:
            self.writer.close()
        self.patch.undo()
        reader = JournalReader(self.journal_dir)
        for epoch, written in self.written.items():
            assert [record.body for record in reader.records(epoch)] == written
        self.folder.cleanup()


TestJournalMachine = JournalMachine.TestCase
