"""`fastgate serve` as a user runs it: a configuration in a folder of its own, the supervisor, both planes.

One organisation, one developer with one declared key, one endpoint at the scripted upstream. `tests/support/plane.py`
runs the data plane alone.
"""

from __future__ import annotations

import http.client
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench.load.ports import free_port
from tests.support import patterns
from tests.support.command import Done, environment, fastgate

KEY = "sk-test-e2e-alice-0123456789abcdef01234567"
PROVIDER_KEY = "provider-key-of-the-gateway-0123456789"

START_S = 60.0
"""Two planes and their compiled modules on a busy machine."""

STOP_S = 30.0

CONFIG = """\
version: 1
listen: 127.0.0.1:{listen}
control: {{listen: 127.0.0.1:{control}, admin_token: admin-token-of-the-tests-0123456789}}
workers: {workers}
state: ./fastgate-data
directory: directory.yaml
headers: {{prefix: x-fastgate, also: [x-agentcc]}}
endpoints:
  - {{name: scripted, kind: anthropic, base_url: "{upstream}", api_key: {provider_key}}}
"""

DIRECTORY = """\
orgs: [{{id: acme, name: Acme}}]
cost_centers: [{{id: CC-1001, owner: em@acme.example}}]
teams: [{{id: platform, org: acme, cost_center: CC-1001}}]
users: [{{id: alice, team: platform, email: alice@acme.example}}]
keys: [{{id: alice-laptop, user: alice, secret: {key}}}]
"""


class Gateway:
    """A running gateway. `log_text` is what it printed; `cli` runs its own command line beside it."""

    def __init__(
        self,
        directory: Path,
        upstream: str,
        *,
        listen: int,
        control: int,
        workers: int = 1,
        more: str = "",
        budgets: str = "",
        env: Mapping[str, str] | None = None,
        guarded: bool = False,
    ) -> None:
        self.directory = directory
        patterns.share(directory / "fastgate-data")
        self.url, self.control_url = f"http://127.0.0.1:{listen}", f"http://127.0.0.1:{control}"
        self.key, self._port = KEY, listen
        config = CONFIG.format(
            listen=listen, control=control, workers=workers, upstream=upstream, provider_key=PROVIDER_KEY
        )
        if not guarded and "guards:" not in more:
            more += "guards: []\n"
        (directory / "fastgate.yaml").write_text(config + more)
        (directory / "directory.yaml").write_text(DIRECTORY.format(key=KEY) + budgets)
        self._log = (directory / "gateway.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fastgate.cli", "serve", "-c", "fastgate.yaml"],
            cwd=directory,
            env=environment(env),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def wait_ready(self) -> None:
        deadline = time.monotonic() + START_S
        while not self.ready():
            assert self.process.poll() is None, f"the gateway ended: {self.log_text()}"
            assert time.monotonic() < deadline, f"the gateway is not ready: {self.log_text()}"
            time.sleep(0.05)

    def ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def cli(self, *words: str) -> Done:
        """`fastgate WORDS…` in the gateway's folder."""
        return fastgate(*words, cwd=self.directory)

    def stop(self) -> int:
        """Drain and end; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self._log.close()

    def log_text(self) -> str:
        return (self.directory / "gateway.log").read_text(errors="replace")[-6000:]


@contextmanager
def serving(
    directory: Path,
    upstream: str,
    workers: int = 1,
    more: str = "",
    budgets: str = "",
    env: Mapping[str, str] | None = None,
    guarded: bool = False,
) -> Iterator[Gateway]:
    """A ready gateway for the time of a with block; `more` is YAML that its configuration ends with, `budgets` what its
    directory does, `env` what its processes have in their environment besides. It has the guards that `more` names, and
    the default ones where it is `guarded`: making their four hundred rules ready is half of a start."""
    ports = {"listen": free_port(), "control": free_port()}
    gateway = Gateway(
        directory, upstream, workers=workers, more=more, budgets=budgets, env=env, guarded=guarded, **ports
    )
    try:
        gateway.wait_ready()
        yield gateway
    finally:
        gateway.stop()
