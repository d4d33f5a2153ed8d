"""The scripted upstream as a process of its own: options, workers, one line that says where it listens.

With several workers each process answers by itself behind one port: the script and the log in memory would be split
between them, so then only the log file exists and `/__sim/script` reaches one of them.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import uvloop

from fastgate.proc import die_with_parent, take_limits
from fastgate.sim.behaviour import SCENARIOS
from fastgate.sim.dialects import DIALECTS
from fastgate.sim.server import Settings, Simulator

WORKERS_MAX = 16
"""More processes than cores on the machines this is run on; a mistyped number stops here."""


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="fastgate simulate", description="A scripted Anthropic Messages upstream for tests, load and the demo."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 takes a free one")
    parser.add_argument("--workers", type=int, default=1, help="processes behind the one port")
    parser.add_argument("--dialect", choices=DIALECTS, default="anthropic", help="whose API it speaks")
    parser.add_argument("--scenario", choices=SCENARIOS, default="auto", help="what the model says by itself")
    parser.add_argument("--key", action="append", default=[], help="accept only this credential (repeatable)")
    parser.add_argument("--log", type=Path, help="append a JSON line at the start and the end of every request")
    parser.add_argument("--bodies", type=Path, metavar="DIR", help="keep every request body in this folder")
    parser.add_argument("--no-memory-log", action="store_true", help="do not keep the log for GET /__sim/log")
    parser.add_argument("--tls-cert", type=Path, help="serve TLS with this certificate chain (PEM)")
    parser.add_argument("--tls-key", type=Path, help="the private key to it (PEM)")
    parser.add_argument("--gap-ms", type=float, default=0.0, help="pause between the events of a stream")
    parser.add_argument("--tokens", type=int, default=0, help="length of text answers in output tokens")
    chosen = parser.parse_args(arguments)
    if not 1 <= chosen.workers <= WORKERS_MAX:
        parser.error(f"--workers must be 1 to {WORKERS_MAX}")
    if chosen.tls_key and not chosen.tls_cert:
        parser.error("--tls-key needs --tls-cert")
    return chosen


def run(arguments: Sequence[str] | None) -> int:
    chosen = options(arguments)
    settings = Settings(
        dialect=chosen.dialect,
        scenario=chosen.scenario,
        keys=frozenset(chosen.key),
        log=chosen.log,
        bodies=chosen.bodies,
        memory_log=not chosen.no_memory_log and chosen.workers == 1 and chosen.scenario != "plain",
        tls_cert=chosen.tls_cert,
        tls_key=chosen.tls_key,
        gap_ms=chosen.gap_ms,
        tokens=chosen.tokens,
    )
    take_limits()
    try:
        port = chosen.port or _free_port(chosen.host)
        children = [_fork(settings, chosen.host, port) for _ in range(chosen.workers - 1)]
        try:
            uvloop.run(_serve(settings, chosen.host, port, shared=chosen.workers > 1, announce=True))
        finally:
            for child in children:
                os.kill(child, signal.SIGTERM)
                os.waitpid(child, 0)
    except OSError as error:
        sys.stderr.write(f"fastgate simulate: {error}\n")
        return 2
    return 0


def _free_port(host: str) -> int:
    with socket.create_server((host, 0)) as plug:
        port: int = plug.getsockname()[1]
        return port


def _fork(settings: Settings, host: str, port: int) -> int:
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            die_with_parent(parent)
            uvloop.run(_serve(settings, host, port, shared=True, announce=False))
            status = 0
        finally:
            os._exit(status)
    return child


async def _serve(settings: Settings, host: str, port: int, *, shared: bool, announce: bool) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    simulator = Simulator(settings)
    await simulator.start(host, port, reuse_port=shared)
    if announce:
        line = {"url": simulator.url, "port": simulator.port, "pid": os.getpid(), "scenario": settings.scenario}
        sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
        sys.stdout.flush()
    await stopped.wait()
    await simulator.close()
