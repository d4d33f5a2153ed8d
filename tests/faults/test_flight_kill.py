"""A worker killed at a random instant: every call that it dialled is recorded once, at least at the usage it had seen.

The oracle is a log that the worker writes like an upstream would: a line when a call is sent, and one for each figure
that it has stated. Each line is written with one write() and so survives the kill.
"""

import random
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from fastgate.control.recover import recover
from fastgate.journal import JournalReader, JournalWriter
from fastgate.journal.flight import peek
from tests.support.flights import decode_record

WORKER = """
import os, random, sys
from pathlib import Path

from fastgate._core.flight import FlightTable
from fastgate._core.usage import Usage
from fastgate.journal import KIND_CALL, JournalWriter, call_id
from fastgate.journal.flight import fit_note
from tests.support.flights import encode, note, record

state, seed = Path(sys.argv[1]), int(sys.argv[2])
chance = random.Random(seed)
journal = JournalWriter.create(state / "journal", segment_bytes=100_000)
table = FlightTable.create(state / "flight" / f"{journal.epoch}.flight", journal.epoch, 64)
oracle = os.open(state / "oracle", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
print(journal.epoch, flush=True)

flying, n = {}, 0
while True:
    if len(flying) < 32 and chance.random() < 0.4:
        n += 1
        slot = table.claim(n, n, fit_note(note(user=f"user-{n}")))
        os.write(oracle, b"%d 0\\n" % n)
        flying[n] = (slot, 0)
    if flying:
        one = chance.choice(list(flying))
        slot, output = flying[one]
        if chance.random() < 0.6:
            output += chance.randrange(100)
            table.note_usage(slot, Usage.of(input_tokens=one, output_tokens=output, final=False), 0)
            os.write(oracle, b"%d %d\\n" % (one, output))
            flying[one] = (slot, output)
        elif chance.random() < 0.2:
            os.write(oracle, b"%d 0\\n" % one)  # another attempt; the one before it is the note's to account for
            table.amend(slot, fit_note(note(user=f"user-{one}", endpoint="another")))
            flying[one] = (slot, 0)
        else:
            journal.append(KIND_CALL, encode(record(call_id(journal.epoch, one), user=f"user-{one}")))
            table.release(slot)
            del flying[one]
"""


@pytest.mark.faults
@pytest.mark.parametrize("round_", range(10))
def test_every_call_of_a_killed_worker_is_recorded_once(tmp_path: Path, round_: int) -> None:
    seed = random.randrange(1 << 32)
    print(f"FASTGATE_SEED={seed}")
    (tmp_path / "flight").mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, str(tmp_path), str(seed)],
        env={"PYTHONPATH": "src:."},
        stdout=subprocess.PIPE,
        text=True,
    ) as worker:
        try:
            assert worker.stdout is not None
            epoch = worker.stdout.readline().strip()
            table = tmp_path / "flight" / f"{epoch}.flight"
            time.sleep(random.Random(seed).uniform(0.05, 0.3))
            header = peek(table)
            assert header.alive
            assert header.pid == worker.pid
            assert recover(tmp_path / "flight", tmp_path / "journal", no_writer).tables == 0
        finally:
            worker.kill()
    assert not peek(table).alive
    with closing(JournalWriter.create(tmp_path / "journal")) as reaper:
        done = recover(tmp_path / "flight", tmp_path / "journal", lambda: reaper)
    assert done.unreadable == 0
    assert not table.exists()
    check_against_oracle(tmp_path, epoch)


def no_writer() -> JournalWriter:
    raise AssertionError("a living worker's calls must not be recorded")


def check_against_oracle(state: Path, epoch: str) -> None:
    stated: dict[int, int] = {}
    for line in (state / "oracle").read_text().splitlines():
        n, output = map(int, line.split())
        stated[n] = output
    reader = JournalReader(state / "journal")
    records = [decode_record(r.body) for every in reader.epochs() for r in reader.records(every)]
    counts = Counter(one.id for one in records)
    assert set(counts.values()) == {1}
    dialled = {f"fg-{epoch}-{n}" for n in stated}
    # A kill between the claim and the oracle's line leaves one more: claimed, never sent.
    assert dialled <= set(counts)
    assert len(set(counts) - dialled) <= 1
    assert len(dialled) > 100
    for one in records:
        n = int(one.id.rpartition("-")[2])
        assert one.user == f"user-{n}"
        if one.outcome == "recovered" and n in stated:
            assert one.usage.output_tokens >= stated[n]
            assert stated[n] == 0 or one.usage.input_tokens >= n
