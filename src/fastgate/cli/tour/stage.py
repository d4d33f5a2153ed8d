"""The tour's stage: a demo instance of its own, in a temporary directory on free ports, and what stops do with it.

Starts one process, `fastgate demo`; everything else is asked over HTTP or by running the command that the reader would
run. One stop kills a provider of this demo, by its process id.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any, TypeVar

from fastgate.cli.demo_world import Developer
from fastgate.cli.moments import NS
from fastgate.cli.tour import NotAsToldError
from fastgate.cli.tour.wire import Wire
from fastgate.clock import mono_ns
from fastgate.proc import listener_of

START_S = 30.0
"""How long the demo may take to answer: two simulators, a control plane and the workers start, each within seconds."""
STOP_S = 40.0
"""Beyond the demo's own drain deadline of 30 s."""
VISIBLE_S = 3.0
"""A finished call is visible to every reader within 1 s; a busy machine gets three."""
POLL_S = 0.02

T = TypeVar("T")


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on now."""
    plugs = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [plug.getsockname()[1] for plug in plugs]
    finally:
        for plug in plugs:
            plug.close()


class Stage:
    """A running demo. `wire` speaks to its data plane; `told` is what it printed about itself."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="fastgate-tour-")
        self.errors: IO[bytes] = (Path(self.folder.name) / "demo.log").open("wb")
        listen, control = free_ports(2)
        self.process = subprocess.Popen(
            [*self._command(), "demo", "--json", "--port", str(listen), "--control-port", str(control)],
            cwd=self.folder.name,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.errors,
        )
        self.told: dict[str, Any] = {}
        self.wire = Wire(f"127.0.0.1:{listen}")

    def __enter__(self) -> Stage:
        try:
            self._await_start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.errors.close()
        self.folder.cleanup()

    @staticmethod
    def _command() -> list[str]:
        return [sys.executable, "-m", "fastgate.cli"]

    @staticmethod
    def _environment() -> dict[str, str]:
        """Without what could point the commands at another gateway, or through a proxy."""
        return {name: value for name, value in os.environ.items() if name not in ("FASTGATE_CONFIG", "FASTGATE_STATE")}

    def _await_start(self) -> None:
        stdout = self.process.stdout
        assert stdout is not None
        line = stdout.readline()  # ends when the demo has started, or is gone
        try:
            self.told = json.loads(line)
        except ValueError:
            self.process.wait(STOP_S)
            raise NotAsToldError(f"the demo did not start:\n{self.log_tail()}") from None

    def log_tail(self) -> str:
        """The last lines that the demo wrote to standard error."""
        text = Path(self.errors.name).read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-20:])

    def fastgate(self, *words: str, code: int = 0) -> Any:
        """Run a `fastgate` command beside the demo; its JSON. Raises NotAsToldError unless it ends with `code`."""
        done = subprocess.run(
            [*self._command(), *words, "--json"],
            cwd=self.folder.name,
            env=self._environment(),
            capture_output=True,
            timeout=STOP_S,
            check=False,
        )
        if done.returncode != code:
            command = " ".join(("fastgate", *words))
            raise NotAsToldError(f"`{command}` ended with {done.returncode}: {done.stderr.decode().strip()}")
        return json.loads(done.stdout)

    def until(self, told: str, look: Callable[[], T | None], within_s: float = VISIBLE_S) -> T:
        """The first answer of `look` that is not None. Raises NotAsToldError when none comes in time."""
        end_ns = mono_ns() + int(within_s * NS)
        while True:
            found = look()
            if found is not None:
                return found
            if mono_ns() > end_ns:
                raise NotAsToldError(f"{told}, within {within_s:g} s")
            time.sleep(POLL_S)

    def recorded(self, developer: Developer, call_id: str) -> dict[str, Any]:
        """The record of a finished call, as its own caller may read it."""

        def look() -> dict[str, Any] | None:
            answer = self.wire.get(f"/v1/fastgate/calls/{call_id}", developer.secret)
            return answer.json if answer.status == 200 else None

        return self.until(f"call {call_id} is recorded", look)

    def every_call(self) -> list[dict[str, Any]]:
        """All recorded calls, page by page, once the newest call of the tour is among them."""
        calls: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            page = self.fastgate("calls", "list", "--limit", "100", *(("--cursor", cursor) if cursor else ()))
            calls += page["items"]
            cursor = page["next"]
        return calls

    def kill_provider(self, name: str) -> None:
        """End a scripted provider at once, and wait until nobody listens in its place. The supervisor starts another
        one soon: starting Python takes longer than a call."""
        port = int(self.told["providers"][name].rpartition(":")[2])
        found = re.search(r"pid (\d+)", listener_of(port))
        if found is None:
            raise NotAsToldError(f"provider {name} listens on {port}")
        os.kill(int(found[1]), signal.SIGKILL)

        def refused() -> bool | None:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) != 0 or None

        self.until(f"{name} is down", refused)

    def provider_log(self) -> list[dict[str, Any]]:
        """What the scripted providers logged: a line at the start and one at the end of each request."""
        lines: list[dict[str, Any]] = []
        for url in self.told["providers"].values():
            answer = Wire(url.removeprefix("http://")).get("/__sim/log")
            lines += [json.loads(line) for line in answer.body.splitlines()]
        return lines
