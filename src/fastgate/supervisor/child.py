"""One child process: how it is started, seen to be dead, restarted with growing pauses, and stopped for certain.

Each child leads a process group of its own, so that Ctrl-C in a terminal reaches the supervisor alone and the drain
stays orderly; and so that everything it started can be killed with it. Not a session: where Linux shares processors out
by session (sched(7), autogroups), each would weigh as much as the other, however many workers one has, and niceness
would mean nothing between them.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from fastgate.clock import mono_ns
from fastgate.proc import PARENT_ENV

BACKOFF_FIRST_S = 0.1
"""Pause before the first restart: a process that was killed is back before a client's retry."""

BACKOFF_MAX_S = 10.0
"""Longest pause between restarts of something that keeps dying; an operator's fix takes effect within it."""

STABLE_S = 30.0
"""A child that lived this long starts over with the shortest pause."""

NS = 1_000_000_000


class Extra(NamedTuple):
    """A further process that lives with the gateway, as the demo's scripted providers do. `port`, when given, is one
    of this machine that must accept connections before the gateway starts."""

    name: str
    argv: Sequence[str]
    port: int = 0


def python(module: str, *arguments: str) -> list[str]:
    """The command line of one of our modules. `-P`: the folder it is started in must not shadow any module."""
    return [sys.executable, "-P", "-m", module, *arguments]


class Child:
    """A process that should be running. `name` is how the log calls it; `environ` is set besides what all inherit."""

    def __init__(
        self, name: str, argv: Sequence[str], lock_fd: int = -1, environ: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.name = name
        self.argv = list(argv)
        self.starts = 0
        self.restart_at_ns = 0
        """When to start it again; 0 when it is running or not wanted."""
        self._lock_fd = lock_fd
        self._environ = environ
        self._pause_s = BACKOFF_FIRST_S
        self._process: subprocess.Popen[bytes] | None = None
        self._started_ns = 0

    @property
    def pid(self) -> int:
        return self._process.pid if self._process is not None else 0

    def is_running(self) -> bool:
        """As far as `reap` has seen."""
        return self._process is not None

    def start(self, *arguments: str, pass_fds: Sequence[int] = ()) -> None:
        """Starts it with further arguments. The state's lock goes along, so that a successor of a killed supervisor
        cannot take the state before this child is gone."""
        fds = [fd for fd in (self._lock_fd, *pass_fds) if fd >= 0]
        self._process = subprocess.Popen(
            [*self.argv, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=2,  # what children say is log; standard output is the command's own (`demo --json` prints there)
            env={**os.environ, **self._environ, PARENT_ENV: str(os.getpid())},
            pass_fds=fds,
            process_group=0,
        )
        self.starts += 1
        self.restart_at_ns = 0
        self._started_ns = mono_ns()

    def reap(self) -> int | None:
        """Its exit code once it has ended (negative: the signal), None while it runs. What it started ends with it."""
        process = self._process
        if process is None:
            return None
        ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended is None:
            return None
        self.send_group(signal.SIGKILL)  # before its number is given back: nobody else can have it yet
        code = process.wait()
        self._process = None
        return code

    def plan_restart(self) -> float:
        """Notes when to start it again; the pause in seconds."""
        now_ns = mono_ns()
        if now_ns - self._started_ns >= STABLE_S * NS:
            self._pause_s = BACKOFF_FIRST_S
        pause_s = self._pause_s
        self._pause_s = min(pause_s * 2, BACKOFF_MAX_S)
        self.restart_at_ns = now_ns + int(pause_s * NS)
        return pause_s

    def send(self, number: signal.Signals) -> None:
        """To the process itself."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    def send_group(self, number: signal.Signals) -> None:
        """To it and everything it started."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)


def told(code: int) -> str:
    """An exit code in words."""
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"killed by {signal.Signals(-code).name}"
        return f"killed by signal {-code}"
    return f"exit code {code}"
