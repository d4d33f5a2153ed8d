"""scripts/foreground.py under make: Ctrl-C at a terminal ends the command in its own way and make reports success."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tidy.tree import ROOT

ANSWERS_CTRL_C = """
import signal, sys, time
signal.signal(signal.SIGINT, lambda *_: (print("drained", flush=True), sys.exit(0)))
print("ready", flush=True)
time.sleep(30)
"""


@pytest.fixture
def makefile(tmp_path: Path) -> Path:
    (tmp_path / "command.py").write_text(ANSWERS_CTRL_C)
    run = f"exec {sys.executable} {ROOT}/scripts/foreground.py {sys.executable} {tmp_path}/command.py"
    (tmp_path / "Makefile").write_text(f"up:\n\t@{run}\n")
    return tmp_path


def read_until(terminal: int, word: bytes) -> bytes:
    seen = b""
    while word not in seen:
        seen += os.read(terminal, 1024)
    return seen


def test_ctrl_c_at_a_terminal_is_the_commands_own(makefile: Path) -> None:
    child, terminal = pty.fork()
    if child == 0:  # pragma: no cover - another process
        os.execvp("make", ["make", "-s", "-C", str(makefile), "up"])
    read_until(terminal, b"ready")
    os.write(terminal, b"\x03")
    printed = read_until(terminal, b"drained")
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0
    assert b"***" not in printed


def test_without_a_terminal_the_command_just_runs(makefile: Path) -> None:
    command = ["make", "-s", "-C", str(makefile), "up"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True) as make:
        assert make.stdout is not None
        assert make.stdout.readline() == b"ready\n"
        make.terminate()  # make passes SIGTERM on to the command, which is its child and not a shell
        assert make.wait(10) != 0
        assert make.stdout.read() == b""
