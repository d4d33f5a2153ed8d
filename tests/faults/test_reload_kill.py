"""kill -9 of whoever publishes: the file that workers read is the old one or the new one, calls go on meanwhile, and
what the admin API has answered is there afterwards."""

from __future__ import annotations

import http.client
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from fastgate import snapshot
from fastgate.board import Board
from fastgate.control.publish import published
from fastgate.state import StateDir
from tests.faults.test_reload import SIDES, Caller, flip
from tests.support.admin import admin, message, status, until
from tests.support.gateway import Gateway, serving
from tests.support.plane import key_row
from tests.support.sim import SimProcess
from tests.unit.control.test_publish import made

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(300)]

WRITER_KILLS = 30
"""Of a process that does nothing but publish, so that nearly each falls into a write."""

PLANE_KILLS = 8
"""Of the control plane. The pause before it is started again doubles each time: 13 s in all."""

BACK_S = 30.0
"""A control plane is back within this: its pause of at most 6.4 s, and a start on a busy machine."""

PUBLISHER = """
import sys
from pathlib import Path
from fastgate.board import Board
from fastgate.control.publish import next_generation, publish
from fastgate.durable import clear_unfinished
from tests.faults.test_reload_kill import large
folder = Path(sys.argv[1])
path, board = folder / "snapshot.msgpack", Board.open(folder / "board")
clear_unfinished(path)
print("ready", flush=True)
while True:
    publish(path, large(next_generation(path, board)), board)
"""


FIRST = made(0)
ROW = key_row(b"pepper", "secret")


def large(generation: int) -> snapshot.SnapshotData:
    """Says in each of its thousand keys which one it is."""
    keys = [msgspec.structs.replace(ROW, key=f"key-{n}-of-{generation}") for n in range(1000)]
    return msgspec.structs.replace(FIRST, generation=generation, version=f"v{generation}", keys=keys)


@pytest.mark.promise("P-26", bound=f"{WRITER_KILLS} kills in the middle of publishing: a whole snapshot each time")
def test_a_publisher_that_is_killed_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    path, board, drawn = tmp_path / "snapshot.msgpack", Board.open(tmp_path / "board"), random.Random(26)
    unfinished, found = 0, FIRST
    for _ in range(WRITER_KILLS):
        before = published(path)[0]
        with subprocess.Popen([sys.executable, "-c", PUBLISHER, str(tmp_path)], stdout=subprocess.PIPE) as publisher:
            assert publisher.stdout is not None
            assert publisher.stdout.readline() == b"ready\n"
            time.sleep(drawn.uniform(0.02, 0.2))
            publisher.send_signal(signal.SIGKILL)
        unfinished += any(name.startswith(".") for name in os.listdir(tmp_path))
        if path.exists():
            found = snapshot.decode(path.read_bytes())
            assert found == large(found.generation)
            assert found.generation in (board.generation, board.generation + 1), "workers are told after it is there"
            assert found.generation >= before
    board.close()
    assert found.generation > WRITER_KILLS
    assert unfinished > 0, "no kill fell into a write"
    left = [name for name in os.listdir(tmp_path) if name.startswith(".")]
    assert len(left) <= 1, f"what a killed process left is cleared away by the next: {left}"


class Administrator(threading.Thread):
    """Changes one thing after another until told to stop, and notes what was answered. A change that was asked for and
    not answered, because the control plane died, may have been made or not."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__()
        self.done = threading.Event()
        self.usable: dict[str, str] = {}
        """Secrets of keys that were made, by key."""
        self.revoked: dict[str, str] = {}
        self.sides: set[str] = set()
        """The configurations that may be in force: the last that was answered, and those asked for since."""
        self.unanswered = 0
        self._gateway = gateway
        self._original = (gateway.directory / "fastgate.yaml").read_text()

    def run(self) -> None:
        number = 0
        while not self.done.is_set():
            number += 1
            try:
                self._change(f"key-{number}", number % 3 == 0)
                self.reload(("one", "two")[number % 2])
            except (OSError, http.client.HTTPException):
                self.unanswered += 1
                time.sleep(0.02)

    def reload(self, side: str) -> None:
        flip(self._gateway, self._original, side)
        self.sides.add(side)
        assert admin(self._gateway, "POST", "/reload")[0] == 200
        self.sides = {side}

    def _change(self, key: str, revoke: bool) -> None:
        code, made = admin(self._gateway, "POST", "/keys", {"user": "alice", "id": key})
        assert code == 201, made
        if not revoke:
            self.usable[key] = made["secret"]
            return
        assert admin(self._gateway, "POST", f"/keys/{key}/revoke")[0] == 200
        self.revoked[key] = made["secret"]


def control_pid(gateway: Gateway) -> int:
    """0 while there is no control plane that answers."""
    try:
        return int(status(gateway)["control_pid"])
    except (OSError, http.client.HTTPException):
        return 0


def keys_are_as_answered(gateway: Gateway, administrator: Administrator) -> None:
    for key in administrator.usable:
        assert admin(gateway, "GET", f"/keys/{key}")[1]["state"] == "active"
    for key in administrator.revoked:
        assert admin(gateway, "GET", f"/keys/{key}")[1]["state"] == "revoked"
    wanted = status(gateway)["generation"]
    until(lambda: {each["generation"] for each in status(gateway)["workers"]} == {wanted}, 5, "workers have it")
    assert {message(gateway, key=secret)[0] for secret in administrator.usable.values()} == {200}
    assert {message(gateway, key=secret)[0] for secret in administrator.revoked.values()} == {401}


@pytest.mark.promise("P-26", bound=f"{PLANE_KILLS} kills of a control plane that writes: no answered change is lost")
def test_a_control_plane_that_is_killed_while_it_writes(tmp_path: Path, upstream: SimProcess) -> None:
    drawn, path = random.Random(9), StateDir(tmp_path / "fastgate-data").snapshot
    with serving(tmp_path, upstream.url, workers=2) as gateway:
        base = Decimal(message(gateway)[1]["x-fastgate-cost"])
        administrator = Administrator(gateway)
        administrator.reload("one")
        until(lambda: message(gateway)[1]["x-fastgate-provider"] == "one", 2, "workers have it")
        threads = [administrator, *(callers := [Caller(gateway) for _ in range(2)])]
        for thread in threads:
            thread.start()
        both = set(SIDES)  # a reload takes as long as some of the kills leave it: eight may fall into all to one side
        until(lambda: all({name for _, name, *_ in [*each.seen]} == both for each in callers), BACK_S, "both are seen")
        for _ in range(PLANE_KILLS):
            pid = until(lambda: control_pid(gateway), BACK_S, "a control plane answers")
            time.sleep(drawn.uniform(0.1, 0.8))
            os.kill(pid, signal.SIGKILL)
            before = [caller.seen.total() for caller in callers]
            assert snapshot.decode(path.read_bytes()).endpoints[0].name in SIDES
            until(lambda pid=pid: control_pid(gateway) not in (0, pid), BACK_S, "the control plane is back")
            assert all(caller.seen.total() > seen for caller, seen in zip(callers, before, strict=True))
        for thread in threads:
            thread.done.set()
        for thread in threads:
            thread.join()
        assert administrator.unanswered >= PLANE_KILLS
        (endpoint,) = admin(gateway, "GET", "/endpoints")[1]["items"]
        assert endpoint["name"] in administrator.sides
        keys_are_as_answered(gateway, administrator)
        assert message(gateway)[1]["x-fastgate-provider"] == endpoint["name"]
        seen = sum((caller.seen for caller in callers), Counter())
        assert set(seen) == {(200, name, guard, base * factor) for name, (factor, guard, _) in SIDES.items()}
        left = [name for name in os.listdir(path.parent) if name.startswith((".snapshot", ".in-force", ".stages"))]
        assert left == [], "what killed ones left is cleared away"


@pytest.mark.promise("P-26", bound="a supervisor that is killed, and all with it: no answered change is lost")
def test_a_gateway_that_is_killed_while_it_writes(tmp_path: Path, upstream: SimProcess) -> None:
    """The supervisor's death is that of all."""
    path = StateDir(tmp_path / "fastgate-data").snapshot
    with serving(tmp_path, upstream.url, workers=2) as gateway:
        administrator = Administrator(gateway)
        administrator.start()
        until(lambda: len(administrator.revoked) > 1, BACK_S, "it writes")
        gateway.process.kill()
        gateway.process.wait()
        administrator.done.set()
        administrator.join()
        assert snapshot.decode(path.read_bytes()).endpoints[0].name in SIDES
    with serving(tmp_path, upstream.url) as again:
        keys_are_as_answered(again, administrator)
