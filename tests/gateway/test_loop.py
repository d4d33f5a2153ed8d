"""Nothing on a worker's event loop waits for the system: an audit hook in its process writes down what is opened,
looked up, connected to, locked or slept for while the loop runs. The one thing that is, is the worker's own journal.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fastgate.snapshot import GuardRow
from tests.support.plane import CACHE, Plane, endpoint
from tests.support.sim import running

HOOK = """
import _thread, asyncio, os, sys

told = os.open(os.environ["FASTGATE_TEST_AUDIT"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
silent = ("object.", "sys.", "gc.", "code.", "builtins.", "compile", "exec", "import", "marshal.", "array.", "cpython.",
          "ctypes.")

def hook(event, arguments):
    if not event.startswith(silent) and asyncio._get_running_loop() is not None:
        os.write(told, f"{os.getpid()} {event} {arguments}\\n".encode())

sys.addaudithook(hook)
"""

ALLOWED = re.compile(
    r"open \('[^']*/journal/[^']*\.fgj'"  # a segment begins: once in 64 MiB
    r"|fcntl\.fcntl \(\d+, (5|6), "  # F_GETLK, F_SETLK: who buys an answer for all workers; neither waits
    r"|os\.listdir \('/proc/self/task',\)"  # of the kernel's memory: the threads of a worker that becomes busy
    r"|fcntl\.flock \(\d+, (2|8)\)"  # the names of endpoints get their places: once for each snapshot
)

BIG = "a line of a big file, as a tool result holds it\n" * 60_000
"""2.9 MB: beyond what is looked at on the loop."""


def heard(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.promise(
    "P-30", bound="no file, name, connection or lock is waited for on the loop but a journal's segment"
)
def test_nothing_is_waited_for_on_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(HOOK)
    told = tmp_path / "told"
    with running(tmp_path / "sim") as simulator:
        ways = (endpoint(simulator.url), endpoint(simulator.url, "other"))
        plane = Plane(tmp_path / "gateway", ways, cache=CACHE, guards=(GuardRow("secrets", "redact"),))
        monkeypatch.setenv("FASTGATE_TEST_AUDIT", str(told))
        plane.python_path = f"src:{tmp_path / 'hook'}"
        plane.start()
        try:
            begun = len(heard(told))
            for n in range(20):
                assert plane.message(f"hello {n // 2}", stream=n % 3 == 0).status == 200
            assert plane.message(BIG).status == 200
            plane.publish()
            plane.wait_adopted()
            assert plane.message("under the new snapshot").status == 200
            plane.wait_idle()
        finally:
            plane.stop()
    lines = [line.partition(" ")[2] for line in heard(told)[begun:]]
    assert any("/journal/" in line for line in lines), "the hook does not hear"
    assert [line for line in lines if not ALLOWED.match(line)] == []
