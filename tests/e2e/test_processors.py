"""Who comes first where processors are short, as Linux has it of a whole gateway: one session, in which workers with
time to spare are ordinary tasks and the control plane is nicer than they are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fastgate import proc
from fastgate.control.__main__ import NICENESS
from fastgate.state import StateDir
from fastgate.workers import live_workers
from tests.e2e.conftest import Route

pytestmark = pytest.mark.e2e

NICEST = 19


def threads(pid: int) -> list[int]:
    return [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()]


def test_calls_come_before_the_control_plane(through: Route) -> None:
    assert through.gateway is not None
    supervisor = through.gateway.process.pid
    own = os.getpriority(os.PRIO_PROCESS, supervisor)
    workers = [worker.pid for worker in live_workers(StateDir(through.gateway.directory / "fastgate-data"))]
    assert workers
    for pid in workers:
        assert len(threads(pid)) > 2, "the loop's, the server's, the watchdog's"
        assert {os.sched_getscheduler(thread) for thread in threads(pid)} == {os.SCHED_OTHER}
        assert {os.getpriority(os.PRIO_PROCESS, thread) for thread in threads(pid)} == {own}
    children = proc.children_of(supervisor)
    (control,) = (pid for pid in children if b"fastgate.control" in Path(f"/proc/{pid}/cmdline").read_bytes())
    assert {os.getpriority(os.PRIO_PROCESS, thread) for thread in threads(control)} == {min(own + NICENESS, NICEST)}
    assert {os.getsid(pid) for pid in (control, *children, *workers)} == {os.getsid(supervisor)}
    assert len({os.getpgid(pid) for pid in children} - {os.getpgid(supervisor)}) == len(children)
