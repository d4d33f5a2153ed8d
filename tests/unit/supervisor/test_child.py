"""A child process: its pauses grow and recover, its death takes what it started along."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from fastgate import proc
from fastgate.supervisor import child as module
from fastgate.supervisor.child import BACKOFF_FIRST_S, BACKOFF_MAX_S, STABLE_S, Child, told

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def wait_for(child: Child, within_s: float = 10.0) -> int:
    end = time.monotonic() + within_s
    while (code := child.reap()) is None:
        assert time.monotonic() < end
        time.sleep(0.01)
    return code


def test_pauses_double_to_a_cap_and_start_over_after_a_long_life(monkeypatch: pytest.MonkeyPatch) -> None:
    now_ns = 0
    monkeypatch.setattr(module, "mono_ns", lambda: now_ns)
    child = Child("x", [])
    pauses = [child.plan_restart() for _ in range(12)]
    assert pauses[0] == BACKOFF_FIRST_S
    assert all(after == min(before * 2, BACKOFF_MAX_S) for before, after in pairwise(pauses))
    assert pauses[-1] == BACKOFF_MAX_S
    assert child.restart_at_ns == BACKOFF_MAX_S * 1e9
    now_ns = int(STABLE_S * 1e9)
    assert child.plan_restart() == BACKOFF_FIRST_S


def test_an_end_is_seen_once() -> None:
    child = Child("x", [sys.executable, "-c", "raise SystemExit(7)"])
    child.start()
    assert child.is_running()
    assert wait_for(child) == 7
    assert not child.is_running()
    assert child.reap() is None
    assert child.pid == 0


def test_what_a_dead_child_started_is_killed() -> None:
    """A grandchild that does not ask to die with its parent: the group is killed for it."""
    code = (
        "import subprocess, sys, time\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(p.pid, flush=True); time.sleep(60)"
    )
    read_fd, write_fd = os.pipe()
    child = Child("x", [sys.executable, "-c", f"import os; os.dup2({write_fd}, 1)\n{code}"])
    child.start(pass_fds=[write_fd])
    os.close(write_fd)
    with os.fdopen(read_fd) as pipe:
        grandchild = int(pipe.readline())
    assert proc.is_alive(grandchild)
    child.send(signal.SIGKILL)
    assert wait_for(child) == -signal.SIGKILL
    end = time.monotonic() + 5
    while proc.is_alive(grandchild):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_child_leads_its_own_group_in_our_session_and_gets_what_it_is_given() -> None:
    code = (
        "import os, sys\n"
        "print(os.getpgid(0) == os.getpid(), os.getsid(0), os.environ['FASTGATE_PARENT_PID'], os.environ['EXTRA'],"
        " sys.argv[1:], sys.stdin.read() == '', file=open(int(sys.argv[1]), 'w'))"
    )
    read_fd, write_fd = os.pipe()
    child = Child("x", [sys.executable, "-c", code], environ={"EXTRA": "yes"})
    child.start(str(write_fd), pass_fds=[write_fd])
    os.close(write_fd)
    with os.fdopen(read_fd) as pipe:
        assert pipe.read() == f"True {os.getsid(0)} {os.getpid()} yes ['{write_fd}'] True\n"
    assert wait_for(child) == 0


ON_A_TERMINAL = """
import os, pty, sys, termios
pid, leader = pty.fork()
if pid == 0:
    from fastgate.supervisor.child import Child
    from fastgate.supervisor.signals import Signals
    settings = termios.tcgetattr(0)
    settings[3] |= termios.TOSTOP
    termios.tcsetattr(0, termios.TCSANOW, settings)
    with Signals() as signals:
        child = Child("x", [sys.executable, "-c", "print('printed', flush=True)"])
        child.start()
        code = None
        while code is None:
            signals.wait(5)
            code = child.reap()
    os._exit(code)
said = b""
try:
    while more := os.read(leader, 4096):
        said += more
except OSError:
    pass
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said)
"""


def test_a_child_prints_on_a_terminal_that_stops_what_prints_in_its_background() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ON_A_TERMINAL],
        env={**os.environ, "PYTHONPATH": "src"},
        check=True,
        capture_output=True,
        timeout=20,
        text=True,
    )
    assert done.stdout.startswith("0 b'printed"), done


def test_a_lock_that_is_passed_on_outlives_its_owner(tmp_path: Path) -> None:
    """The state stays locked until the last process of a killed gateway is gone."""
    code = (
        "import fcntl, os, sys, time\n"
        "from fastgate.supervisor.child import Child\n"
        "fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)\n"
        "fcntl.flock(fd, fcntl.LOCK_EX)\n"
        "child = Child('x', [sys.executable, '-c', 'import time; time.sleep(60)'], fd)\n"
        "child.start(); print(child.pid, flush=True); time.sleep(60)"
    )
    path = str(tmp_path / "lock")
    env = {**os.environ, "PYTHONPATH": "src"}
    owner = subprocess.Popen([sys.executable, "-c", code, path], env=env, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    with owner.stdout:
        child_pid = int(owner.stdout.readline())
    owner.kill()
    owner.wait()
    check = [
        sys.executable,
        "-c",
        "import fcntl, sys; fcntl.flock(open(sys.argv[1]), fcntl.LOCK_EX | fcntl.LOCK_NB)",
    ]
    assert subprocess.run([*check, path], capture_output=True, check=False).returncode != 0
    os.kill(child_pid, signal.SIGKILL)
    end = time.monotonic() + 5
    while proc.is_alive(child_pid):
        assert time.monotonic() < end
        time.sleep(0.01)
    assert subprocess.run([*check, path], capture_output=True, check=False).returncode == 0


def test_signals_to_what_has_ended_are_harmless() -> None:
    child = Child("x", SLEEP)
    child.send(signal.SIGTERM)
    child.send_group(signal.SIGKILL)
    child.start()
    child.send_group(signal.SIGKILL)
    assert wait_for(child) == -9
    child.send(signal.SIGTERM)


@pytest.mark.parametrize(
    ("code", "words"), [(0, "exit code 0"), (3, "exit code 3"), (-9, "killed by SIGKILL"), (-200, "200")]
)
def test_exit_codes_in_words(code: int, words: str) -> None:
    assert words in told(code)
