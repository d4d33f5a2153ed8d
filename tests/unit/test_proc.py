"""What a process does to itself and can see of others, each with a real process."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fastgate import proc

CHILD = """
import os, sys, time
from fastgate.proc import die_with_parent
die_with_parent()
print(os.getpid(), flush=True)
time.sleep(60)
"""

PARENT = """
import os, subprocess, sys, time
env = {**os.environ, "FASTGATE_PARENT_PID": str(os.getpid())}
subprocess.Popen([sys.executable, "-c", sys.argv[1]], env=env)
time.sleep(60)
"""

ENV = {**os.environ, "PYTHONPATH": "src"}


def run(*command: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], check=False, env=ENV | env, capture_output=True, timeout=20, text=True
    )


def gone(pid: int, within_s: float = 5.0) -> bool:
    end = time.monotonic() + within_s
    while proc.is_alive(pid):
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def test_a_child_dies_with_a_killed_parent() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, CHILD], env=ENV, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        child_pid = int(parent.stdout.readline())
        assert proc.is_alive(child_pid)
        assert proc.children_of(parent.pid) == [child_pid]
        parent.kill()
        parent.wait()
        assert gone(child_pid)


def test_a_child_whose_parent_is_gone_already_ends_at_once() -> None:
    """The parent died before the child asked to die with it: the kernel would never tell."""
    done = run("-c", CHILD, **{proc.PARENT_ENV: "1"})
    assert (done.returncode, done.stdout) == (1, "")


def test_the_parent_is_not_told_to_grandchildren() -> None:
    code = "import os; from fastgate.proc import *; die_with_parent(); print(os.environ.get(PARENT_ENV))"
    done = run("-c", code, **{proc.PARENT_ENV: str(os.getpid())})
    assert done.stdout == "None\n"


def test_as_a_program_it_becomes_the_command() -> None:
    done = run("-m", "fastgate.proc", sys.executable, "-c", "import sys; print(sys.argv[1:])", "a", "b")
    assert done.stdout == "['a', 'b']\n"


def test_limits_are_taken() -> None:
    code = (
        "import resource\nfrom fastgate.proc import take_limits\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 512))\n"
        "print(take_limits(), resource.getrlimit(resource.RLIMIT_NOFILE), resource.getrlimit(resource.RLIMIT_CORE))"
    )
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < 512:
        pytest.fail("this machine allows fewer files than the test asks for")
    done = run("-c", code)
    assert done.stdout == "(512, 512) (512, 512) (0, 0)\n"


def test_a_zombie_is_not_alive() -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert Path(f"/proc/{child.pid}").exists()
    assert not proc.is_alive(child.pid)
    child.wait()
    assert not proc.is_alive(child.pid)
    assert proc.is_alive(os.getpid())


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_the_loop_of_a_worker_is_seen_from_outside(loop: str) -> None:
    code = (
        f"import os, time, {loop}\nfrom fastgate.proc import become_worker\n"
        f"loop = {loop}.new_event_loop()\nbecome_worker(loop)\nprint('up', flush=True)\ntime.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", code], env=ENV, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child.stdout:
        child.stdout.readline()
        assert proc.event_loop_of(child.pid) == loop
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert proc.event_loop_of(child.pid) == ""
    assert proc.event_loop_of(os.getpid()) == ""


def test_a_listener_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert proc.listener_of(port).endswith(f"(pid {os.getpid()})")
    assert proc.listener_of(port) == ""


def test_cpus_are_those_this_process_may_use() -> None:
    assert 1 <= proc.usable_cpus() <= len(os.sched_getaffinity(0))


BODIES = """
import resource, sys
from fastgate.proc import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
def turn():
    bodies = [b"x" * 730_000 for _ in range(4)]
for _ in range(10):
    turn()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    turn()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="this C library has no mallopt")
def test_large_blocks_are_not_given_back_to_the_system_each_time() -> None:
    faults = {how: int(run("-c", BODIES, how).stdout) for how in ("keep", "leave")}
    assert faults["keep"] < 100 < faults["leave"]
