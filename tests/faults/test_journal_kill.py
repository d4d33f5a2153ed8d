"""A journal whose writer is killed while another process reads it: a prefix, whole and undamaged, at every instant."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fastgate.journal import START, JournalReader

WRITER = """
import random, sys
from pathlib import Path
from fastgate.journal import JournalWriter

writer = JournalWriter.create(Path(sys.argv[1]), segment_bytes=int(sys.argv[2]))
print(writer.epoch, flush=True)
n = 0
while True:
    n += 1
    writer.append(1, b"%d " % n + b"x" * random.Random(n).randrange(20_000))
"""


def payload(n: int) -> bytes:
    return b"%d " % n + b"x" * random.Random(n).randrange(20_000)


@pytest.mark.faults
@pytest.mark.parametrize("round_", range(6))
def test_a_killed_writer_leaves_whole_records(tmp_path: Path, round_: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path), str(300_000 * (round_ + 1))],
        env={"PYTHONPATH": "src"},
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        try:
            assert writer.stdout is not None
            epoch = writer.stdout.readline().strip()
            seen = follow_until_dead(JournalReader(tmp_path), epoch, writer, 0.1 + 0.07 * round_)
        finally:
            writer.kill()
    assert seen > 10


def follow_until_dead(reader: JournalReader, epoch: str, writer: subprocess.Popen[str], kill_after_s: float) -> int:
    """Read as it is written, kill the writer, read to the end. Every record must be right; returns how many."""
    position, seen = START, 0
    kill_at = time.monotonic() + kill_after_s
    while True:
        closed = not reader.is_open(epoch)
        batch = reader.read(epoch, position, closed=closed)
        assert batch.damage == []
        for record in batch.records:
            seen += 1
            assert record.body == payload(seen)
        position = batch.position
        if closed and not batch.more:
            return seen
        if writer.returncode is None and time.monotonic() >= kill_at:
            writer.kill()
            writer.wait()
