"""Publishing: private, whole at every moment, generations only grow."""

import os
import threading

import msgspec
import pytest

from fastgate import snapshot
from fastgate.board import Board
from fastgate.budgets import ceiling_nano
from fastgate.control.publish import next_generation, publish, published
from fastgate.durable import clear_unfinished
from fastgate.prices.catalog import compile_prices
from fastgate.prices.settings import PriceSettings

LIMITS = snapshot.Limits(
    body_bytes=1,
    body_s=1,
    connect_s=1,
    first_byte_s=1,
    idle_s=1,
    ping_s=1,
    drain_s=1,
    keepalive_s=1,
    unknown_usage="seen",
)


def made(generation):
    return snapshot.SnapshotData(
        generation=generation,
        version=f"v{generation}",
        headers=snapshot.HeaderNames(),
        limits=LIMITS,
        endpoints=(),
        keys=[],
        prices=compile_prices(PriceSettings()),
    )


@pytest.fixture
def board(tmp_path):
    opened = Board.open(tmp_path / "board")
    yield opened
    opened.close()


def test_what_is_published_is_read_back_and_private(tmp_path, board):
    path = tmp_path / "snapshot.msgpack"
    publish(path, made(4), board)
    assert snapshot.decode(path.read_bytes()) == made(4)
    assert path.stat().st_mode & 0o777 == 0o600
    assert (board.generation, published(path)) == (4, (4, "v4"))
    assert sorted(os.listdir(tmp_path)) == ["board", "snapshot.msgpack"]


def test_a_snapshot_from_before_increases_had_cells_is_still_read():
    """An increase was an amount and an end then, and raised every cell."""
    row = snapshot.BudgetRow(
        *("b", "o", "team", "t", True, (), "month", 0, "UTC", 1, 5, True, ()),
        increases=(snapshot.Raise(2, 7), snapshot.Raise(3, 9, "alice")),
        created_ns=1,
    )
    now = msgspec.structs.replace(made(4), budgets=[row])
    before = msgspec.msgpack.decode(snapshot.encode(now))
    (told,) = before["budgets"]
    place = snapshot.BudgetRow.__struct_fields__.index("increases")
    assert told[place] == [[2, 7, ""], [3, 9, "alice"]]
    told[place] = [each[:2] for each in told[place]]
    old = snapshot.decode(msgspec.msgpack.encode(before))
    assert old.budgets[0].increases == (snapshot.Raise(2, 7, ""), snapshot.Raise(3, 9, ""))
    assert [ceiling_nano(old.budgets[0], at_ns, "bob") for at_ns in (6, 8, 9)] == [10, 8, 5]


def test_generations_grow_whatever_was_lost(tmp_path, board):
    path = tmp_path / "snapshot.msgpack"
    assert next_generation(path, board) == 1
    publish(path, made(4), board)
    assert next_generation(path, board) == 5
    board.generation = 0
    assert next_generation(path, board) == 5
    board.generation = 9
    path.write_bytes(b"\xc1 no snapshot")
    assert published(path) == (0, "")
    assert next_generation(path, board) == 10


def test_what_a_killed_writer_left_is_cleared_away_and_nothing_else(tmp_path, board):
    path = tmp_path / "snapshot.msgpack"
    publish(path, made(1), board)
    (tmp_path / ".snapshot.msgpack.0123456789abcdef").write_bytes(b"half of a sn")
    others = [".snapshot.msgpack.mine", ".stages.msgpack.0123456789abcdef"]
    for name in others:
        (tmp_path / name).write_bytes(b"another's")
    clear_unfinished(path)
    assert sorted(os.listdir(tmp_path)) == sorted([*others, "board", "snapshot.msgpack"])


def test_a_failure_leaves_the_old_snapshot_and_the_old_generation(tmp_path, board, monkeypatch):
    path = tmp_path / "snapshot.msgpack"
    publish(path, made(1), board)

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        publish(path, made(2), board)
    assert (published(path), board.generation) == ((1, "v1"), 1)
    assert sorted(os.listdir(tmp_path)) == ["board", "snapshot.msgpack"]


def test_a_reader_never_sees_a_part_and_the_board_never_runs_ahead(tmp_path, board):
    path, wrong, done = tmp_path / "snapshot.msgpack", [], threading.Event()
    publish(path, made(1), board)

    def read():
        while not done.is_set():
            told = board.generation
            if snapshot.decode(path.read_bytes()).generation < told:
                wrong.append(told)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for generation in range(2, 30):
            publish(path, made(generation), board)
    finally:
        done.set()
        reader.join()
    assert wrong == []
