"""The drain's deadlines, with flight tables for real and a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fastgate._core.flight import FlightTable
from fastgate.board import Board
from fastgate.journal import new_epoch
from fastgate.state import StateDir
from fastgate.supervisor import drain as module
from fastgate.supervisor.drain import CUT_S, NOTICE_S, Drain
from fastgate.workers import in_flight, live_workers

NS = 1_000_000_000


class Scene:
    """A state directory with one live worker, and time."""

    def __init__(self, folder: Path, limit_s: float = 10.0) -> None:
        self.state = StateDir(folder / "data").create()
        self.board = Board.open(self.state.board)
        epoch = new_epoch()
        self.worker = FlightTable.create(str(self.state.flight_dir / f"{epoch}.flight"), epoch, 16)
        self.now_ns = 1000 * NS
        self.drain = Drain(self.board, self.state, limit_s)

    def after(self, seconds: float) -> bool:
        self.now_ns += int(seconds * NS)
        return self.drain.over()

    def close(self) -> None:
        self.worker.close()
        self.board.close()


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    made = Scene(tmp_path)
    monkeypatch.setattr(module, "mono_ns", lambda: made.now_ns)
    yield made
    made.close()


def test_the_board_tells_workers_before_anything_is_counted(scene: Scene) -> None:
    scene.drain.begin()
    assert scene.board.draining
    assert scene.board.stop_at_ns == scene.now_ns + 10 * NS


def test_an_idle_gateway_drains_in_the_time_workers_need_to_notice(scene: Scene) -> None:
    scene.drain.begin()
    assert not scene.after(0.0)
    assert not scene.after(NOTICE_S / 2)
    assert scene.after(NOTICE_S / 2)


def test_a_call_in_flight_is_waited_for(scene: Scene) -> None:
    slot = scene.worker.claim(1, 1, b"note")
    assert slot >= 0
    assert in_flight(scene.state) == 1
    scene.drain.begin()
    assert not scene.after(5.0)
    scene.worker.release(slot)
    assert scene.after(0.1)


def test_the_deadline_leaves_workers_time_to_end_their_calls(scene: Scene) -> None:
    scene.worker.claim(1, 1, b"note")
    scene.drain.begin()
    assert not scene.after(10.0)
    assert not scene.after(CUT_S / 2)
    assert scene.after(CUT_S / 2)


def test_asking_again_brings_the_deadline_to_now_and_a_third_time_waits_for_nothing(scene: Scene) -> None:
    scene.worker.claim(1, 1, b"note")
    scene.drain.begin()
    assert not scene.after(1.0)
    scene.drain.hasten()
    assert scene.board.stop_at_ns == scene.now_ns
    assert not scene.after(0.0)
    scene.drain.hasten()
    assert scene.after(0.0)


def test_a_worker_that_died_holds_nothing_up(scene: Scene) -> None:
    scene.worker.claim(1, 1, b"note")
    scene.drain.begin()
    assert not scene.after(1.0)
    scene.worker.close()
    assert live_workers(scene.state) == []
    assert scene.after(0.0)


def test_what_is_no_flight_table_is_passed_over(scene: Scene) -> None:
    (scene.state.flight_dir / "0123456789ab.flight").write_bytes(b"")
    (scene.state.flight_dir / "0123456789ac.flight").write_bytes(b"something else" * 100)
    assert len(live_workers(scene.state)) == 1
