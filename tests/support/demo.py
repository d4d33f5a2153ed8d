"""A running `fastgate demo` for tests: the real command with its real processes, in a folder of its own."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from fastgate.cli.tour.wire import Wire
from tests.support import patterns
from tests.support.command import Done, environment, fastgate

STOP_S = 45.0
"""The demo's drain deadline of 30 s and what its processes may take to end."""
VISIBLE_S = 5.0
"""A finished call is visible within 1 s; a loaded machine gets five."""

T = TypeVar("T")


def free_pair() -> int:
    """A port that is free together with the next one."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as plug:
            port: int = plug.getsockname()[1]
            try:
                socket.create_server(("127.0.0.1", port + 1)).close()
            except OSError:
                continue
            return port


class RunningDemo:
    """`told` is what it printed; `command` runs a command in its folder; `wire` calls its data plane."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.folder = folder
        self.port = port or free_pair()
        patterns.share(folder / "fastgate-data" / "demo")
        self.log = (folder / "demo.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fastgate.cli", "demo", "--json", "--port", str(self.port)],
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.log,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.stop()
            raise AssertionError((folder / "demo.log").read_text())
        self.told: dict[str, Any] = json.loads(line)
        self.wire = Wire(self.told["listen"])

    def command(self, *words: str, env: dict[str, str] | None = None) -> Done:
        return fastgate(*words, cwd=self.folder, env=env)

    def until(self, look: Callable[[], T | None], within_s: float = VISIBLE_S) -> T:
        end = time.monotonic() + within_s
        while (found := look()) is None:
            assert time.monotonic() < end, f"nothing within {within_s:g} s"
            time.sleep(0.02)
        return found

    def stop(self) -> int:
        """Ctrl-C; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(STOP_S)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.log.close()
