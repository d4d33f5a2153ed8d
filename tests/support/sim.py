"""The scripted upstream as a process of its own, for tests that need the provider to outlive what they kill.

`SimProcess` starts `python -m fastgate.sim` on a free port; `calls()` is the oracle: what it saw, billed and sent.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from fastgate.sim.behaviour import Behaviour, Step
from fastgate.sim.log import Ended, Started, read_log

ROOT = Path(__file__).parents[2]

START_S = 20.0
"""A busy machine takes seconds to start an interpreter."""


@dataclass
class Call:
    """One request of the log; `ended` is None while the answer is under way."""

    started: Started
    ended: Ended | None

    def header(self, name: str) -> str:
        return next((value for key, value in self.started.headers if key.lower() == name.lower()), "")


class SimProcess:
    """A running simulator. `log_path` survives it."""

    def __init__(self, directory: Path, *options: str, scenario: str = "auto") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.log_path = directory / "upstream.jsonl"
        self.bodies = directory / "bodies"
        command = [sys.executable, "-m", "fastgate.sim", "--scenario", scenario, "--log", str(self.log_path), *options]
        env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        self.process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=None)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the simulator did not start: exit {self.process.wait(START_S)}"
        announced = json.loads(line)
        self._skipped = 0
        self.url: str = announced["url"]
        self.port: int = announced["port"]

    def script(self, do: Behaviour, **conditions: Any) -> None:
        """Queue a behaviour for the next calls: `n`, `model`, `session`, `contains`, `stream`, `turn`, `path`."""
        self._admin("POST", "/__sim/script", msgspec.json.encode(Step(do=do, **conditions)))

    def unscript(self) -> None:
        self._admin("DELETE", "/__sim/script")

    def _admin(self, method: str, path: str, body: bytes = b"") -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        assert answer.status == 200, data
        return data

    def fresh(self) -> None:
        """Forget what was queued, and leave the calls so far out of `calls`."""
        self.unscript()
        self._skipped = len(read_log(self.log_path))

    def calls(self, path: str = "/v1/messages") -> list[Call]:
        """The requests to one route since `fresh` (`*`: to any), in order of arrival."""
        lines = read_log(self.log_path)[self._skipped :]
        ends = {line.id: line for line in lines if isinstance(line, Ended)}
        starts = (line for line in lines if isinstance(line, Started))
        return [Call(line, ends.get(line.id)) for line in starts if path in ("*", line.path.partition("?")[0])]

    def settled(self, count: int, within_s: float = 5.0, path: str = "/v1/messages") -> list[Call]:
        """The calls, once there are `count` and all have ended."""
        deadline = time.monotonic() + within_s
        while True:
            calls = self.calls(path)
            if len(calls) >= count and all(call.ended for call in calls):
                return calls
            assert time.monotonic() < deadline, f"{len(calls)} of {count} calls, some under way: {calls}"
            time.sleep(0.02)

    def body(self, call: Call) -> bytes:
        """The request body as received; the process must run with `--bodies`, as `running` does."""
        return (self.bodies / f"{call.started.id}.json").read_bytes()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)
        if self.process.stdout is not None:
            self.process.stdout.close()


@contextmanager
def running(directory: Path, *options: str, scenario: str = "auto") -> Iterator[SimProcess]:
    """A simulator that keeps bodies, for the time of a with block."""
    simulator = SimProcess(directory, "--bodies", str(directory / "bodies"), *options, scenario=scenario)
    try:
        yield simulator
    finally:
        simulator.stop()
