"""The servers of a run: started on free loopback ports, watched, ended. Ends nothing that it did not start."""

from __future__ import annotations

import http.client
import os
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import NamedTuple
from urllib.parse import urlsplit

import psutil

from bench.load.certificate import Certificate

SOURCE = Path(__file__).parents[2] / "src"
START_S = 120.0
"""Longest wait for a server to answer. Each takes a second or two, one that compiles its guards ten or more."""
STOP_S = 30.0
"""Longest wait for one to end after SIGTERM; then it is killed."""


class Used(NamedTuple):
    """What one process has used. `control`: it is fastgate's control plane, which no call waits for. `kernel_s`: the
    part of `seconds` that the kernel worked for it."""

    seconds: float
    control: bool
    kernel_s: float = 0.0


NOTHING = Used(0.0, False)


def environ() -> dict[str, str]:
    """This process's environment, with this checkout's fastgate before any other."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(SOURCE), os.environ.get("PYTHONPATH")]))}


@dataclass
class Server:
    """One server of ours and the processes it started."""

    name: str
    url: str
    command: list[str]
    log: Path
    ready: str = "/"
    tls: Certificate | None = None
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def __enter__(self) -> Server:
        # Through fastgate.proc the server dies with this process, even when that is killed.
        command = [sys.executable, "-m", "fastgate.proc", *self.command]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environ())
        try:
            self._await_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        if self.process is None:
            return
        family = self.family()
        self.process.terminate()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for child in psutil.wait_procs(family[1:], timeout=5)[1]:
            child.kill()
        self.process = None

    def family(self) -> list[psutil.Process]:
        """The server's own process, then all that descend from it."""
        assert self.process is not None
        try:
            root = psutil.Process(self.process.pid)
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def cpu_s(self) -> dict[int, Used]:
        """CPU seconds that each process of the server has used, by pid."""
        used = {}
        for process in self.family():
            try:
                times, command = process.cpu_times(), process.cmdline()
            except psutil.NoSuchProcess:
                continue
            used[process.pid] = Used(times.user + times.system, "fastgate.control" in command, times.system)
        return used

    def connect(self, timeout_s: float) -> http.client.HTTPConnection:
        """A connection of its own, by TLS where the server speaks it."""
        place = urlsplit(self.url).netloc
        if self.tls is None:
            return http.client.HTTPConnection(place, timeout=timeout_s)
        trust = ssl.create_default_context(cafile=str(self.tls.cert))
        return http.client.HTTPSConnection(place, timeout=timeout_s, context=trust)

    def answers(self) -> bool:
        connection = self.connect(2)
        try:
            connection.request("GET", self.ready)
            return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def said(self) -> str:
        """The last lines of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:]) if self.log.exists() else ""

    def _await_ready(self) -> None:
        assert self.process is not None
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}:\n{self.said()}")
            if self.answers():
                return
            time.sleep(0.05)
        raise RuntimeError(f"{self.name} did not answer within {START_S:.0f} s:\n{self.said()}")


def cpu_between(before: dict[int, Used], after: dict[int, Used]) -> tuple[float, float]:
    """CPU seconds between two looks: all of it, and the control plane's part. A process that ended in between is
    missing, one that came counts whole."""
    spent = [(now.seconds - before.get(pid, NOTHING).seconds, now.control) for pid, now in after.items()]
    return sum(seconds for seconds, _ in spent), sum(seconds for seconds, control in spent if control)


def kernel_between(before: dict[int, Used], after: dict[int, Used]) -> float:
    """The kernel's part of `cpu_between`, in seconds."""
    return sum(now.kernel_s - before.get(pid, NOTHING).kernel_s for pid, now in after.items())
