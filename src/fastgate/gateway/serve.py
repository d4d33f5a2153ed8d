"""Starts the data plane: Granian over RSGI with settings chosen on purpose, and workers that are always replaced.

`python -m fastgate.gateway.serve --host H --port P --workers N --state DIR`, as the supervisor runs it. With
`--tls-cert` and `--tls-key` it serves TLS and takes a changed certificate up: new workers begin with it, the old ones
take no more connections and end when their calls have.
"""

from __future__ import annotations

import argparse
import logging
import os
import ssl
import time
from pathlib import Path
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops, RuntimeModes, SSLProtocols, TaskImpl
from granian.errors import ConfigurationError
from granian.http import HTTP1Settings

from fastgate.gateway.pinning import CORE_ENV, cores
from fastgate.proc import die_with_parent, take_limits
from fastgate.state import StateDir

log = logging.getLogger("fastgate.serve")

BACKLOG = 4096
"""Connections waiting to be accepted: Linux's own default ceiling (net.core.somaxconn)."""

HEADER_READ_MS = 10_000
"""A request head must be complete within this; slow senders hold a connection no longer."""

HEADER_BUFFER_BYTES = 64 * 1024
"""Most bytes of a request head. Claude Code sends about 2 KB."""

KILL_AFTER_S = 10
"""After a drain, a worker that still does not stop is killed."""

SHORT_LIFE_S = 2.0
"""A worker that lived shorter than this counts as failing at start."""

RESPAWN_MAX_S = 5.0
"""Longest pause before a worker that keeps failing at start is tried again."""


CERTIFICATE_POLL_S = 2.0
"""How often the certificate's files are looked at."""

START_S = 30.0
"""A new worker has its flight table within a second; a busy machine gets thirty."""

LISTEN_S = 0.5
"""From its flight table to its first accept."""

PYTHON_THREADS = 1
"""Threads of a worker that bring requests and bodies to Python. `gateway/arrivals.py` holds for exactly one."""

RUNTIME: dict[str, Any] = {
    "interface": Interfaces.RSGI,
    # One thread for I/O either way. `st` writes to an eventfd for each thing that a Python thread hands to it, also
    # while it runs: three writes a call. `mt` wakes a thread that sleeps, and no other: one (2 us of a call's CPU).
    "runtime_mode": RuntimeModes.mt,
    "runtime_threads": 1,
    "blocking_threads": PYTHON_THREADS,
    "loop": Loops.uvloop,
    "task_impl": TaskImpl.asyncio,
    "http": HTTPModes.http1,
    "websockets": False,
    "backlog": BACKLOG,
    "http1_settings": HTTP1Settings(header_read_timeout=HEADER_READ_MS, max_buffer_size=HEADER_BUFFER_BYTES),
}
"""How a worker is made, whatever it serves."""


class Server(Granian):  # type: ignore[misc, valid-type]
    """Granian, with a worker that died replaced at once, for ever. Granian's own loop gives up on the whole server
    when one worker dies twice within 5.5 s."""

    cores: tuple[int, ...] = ()
    """The core of each worker, or none."""
    drain_s = 600.0
    certificate: Certificate | None = None

    def __init__(self, *target: str, **settings: Any) -> None:
        super().__init__(*target, **settings)
        if self.blocking_threads != PYTHON_THREADS:
            raise ConfigurationError(
                f"blocking_threads is {self.blocking_threads}, not {PYTHON_THREADS}: a call begins in the one thread "
                "that also brings its body (fastgate.gateway.arrivals)"
            )

    def _spawn_worker(self, idx: int, target: Any, callback_loader: Any) -> Any:
        """One that is about to be started, and inherits what stands in the environment now."""
        if self.cores:
            os.environ[CORE_ENV] = str(self.cores[idx])
        return super()._spawn_worker(idx, target, callback_loader)

    def _serve_loop(self, spawn_target: Any, target_loader: Any) -> None:
        pause_s = 0.0
        retired: list[tuple[Any, float]] = []
        while True:
            came = self.main_loop_interrupt.wait(CERTIFICATE_POLL_S if self.certificate is not None else None)
            if self.interrupt_signal:
                for old, _ in retired:  # the supervisor has drained: nothing is left that could finish
                    old.kill()
                return
            if self.certificate is not None:
                retired = [(old, end) for old, end in retired if not ended(old, end)]
                if self.certificate.changed():
                    retired += self._renew(spawn_target, target_loader)
                if not came:
                    continue
            self.main_loop_interrupt.clear()
            dead, self.interrupt_children[:] = sorted(set(self.interrupt_children)), []
            lived_s = min((time.monotonic() - self.wrks[index].birth for index in dead), default=SHORT_LIFE_S)
            pause_s = min(max(pause_s * 2, 0.1), RESPAWN_MAX_S) if lived_s < SHORT_LIFE_S else 0.0
            time.sleep(pause_s)
            for index in dead:
                self.wrks[index].join()
                self.wrks[index] = self._spawn_worker(index, spawn_target, target_loader)
                self.wrks[index].start()

    def _renew(self, spawn_target: Any, target_loader: Any) -> list[tuple[Any, float]]:
        """A worker with the new certificate for each that there is; the old ones stop only when those take connections
        themselves. Returns the old ones, and until when they may finish their calls."""
        old, known = list(self.wrks), tables()
        for index in range(len(old)):
            self.wrks[index] = self._spawn_worker(index, spawn_target, target_loader)
            self.wrks[index].start()
        late = time.monotonic() + START_S
        while len(tables() - known) < len(old) and time.monotonic() < late:
            time.sleep(0.05)
        time.sleep(LISTEN_S)
        for worker in old:
            worker.terminate()
        end = time.monotonic() + self.drain_s
        log.info("the certificate has changed: new workers serve it, old ones finish their calls")
        return [(worker, end) for worker in old]


def tables() -> set[str]:
    """The flight tables that there are: one for each worker that has started, or has died since the last recovery."""
    return {path.name for path in StateDir(os.environ["FASTGATE_STATE"]).flight_dir.glob("*.flight")}


class Certificate:
    """The files of a certificate, and whether they hold another valid one than before."""

    def __init__(self, cert: Path, key: Path) -> None:
        self.cert, self.key = cert, key
        self._seen = self._look()

    def changed(self) -> bool:
        """Whether there is a new pair; a half-written one is waited for."""
        now = self._look()
        if now == self._seen or now is None:
            return False
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.cert, self.key, password="")
        except (OSError, ssl.SSLError) as error:
            if now != self._refused:
                log.error("the changed certificate cannot be served (%s); the old one stays", error)
                self._refused = now
            return False
        self._seen = now
        return True

    _refused: tuple[int, ...] | None = None

    def _look(self) -> tuple[int, ...] | None:
        try:
            stats = [path.stat() for path in (self.cert, self.key)]
        except OSError:
            return None
        return tuple(value for stat in stats for value in (stat.st_ino, stat.st_mtime_ns, stat.st_size))


def ended(worker: Any, end: float) -> bool:
    """Whether a retired worker is gone; one that is late is killed, and its calls are told by its flight table."""
    if worker.is_alive():
        if time.monotonic() < end:
            return False
        worker.kill()
    worker.join()
    return True


def main() -> None:
    parser = argparse.ArgumentParser(prog="fastgate.gateway.serve")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--state", required=True)
    parser.add_argument("--tls-cert", type=Path)
    parser.add_argument("--tls-key", type=Path)
    # As `limits.connections` has it. Granian's own default, backlog / workers, leaves the rest hanging.
    parser.add_argument("--connections", type=int, default=16_384)
    parser.add_argument("--pin", action="store_true")
    parser.add_argument("--drain-s", type=float, default=Server.drain_s)
    options = parser.parse_args()
    die_with_parent()
    take_limits()
    os.environ["FASTGATE_STATE"] = os.path.abspath(options.state)
    server = Server(
        "fastgate.gateway.app:app",
        address=options.host,
        port=options.port,
        workers=options.workers,
        backpressure=options.connections,
        workers_kill_timeout=KILL_AFTER_S,
        ssl_cert=options.tls_cert,
        ssl_key=options.tls_key,
        ssl_protocol_min=SSLProtocols.tls12,
        **RUNTIME,
    )
    server.cores = cores(options.workers) if options.pin else ()
    server.drain_s = options.drain_s
    if options.tls_cert is not None:
        server.certificate = Certificate(options.tls_cert, options.tls_key)
    server.serve()


if __name__ == "__main__":
    main()
