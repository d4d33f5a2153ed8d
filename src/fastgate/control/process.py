"""The control process from start to end: opens the state, publishes, serves the API, runs the background work, stops.

Owns the order of these; what each does is elsewhere. Ends with an exit code that the supervisor tells on.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server

from fastgate import runinfo
from fastgate.board import Board
from fastgate.config import Config
from fastgate.config_checks import split_address
from fastgate.control import kept
from fastgate.control.api.app import build
from fastgate.control.background import Background
from fastgate.control.errors import OperationError
from fastgate.control.operations import Operations
from fastgate.control.world import Loaded, World, load
from fastgate.keys import PepperError
from fastgate.log import Log
from fastgate.proc import loop_name
from fastgate.state import StateDir, StateError
from fastgate.stores.embedded import EmbeddedDirectory, open_directory
from fastgate.stores.ports import StoreError
from fastgate.tree import ConfigErrors

REFUSED = 1
BAD_INPUT = 2
"""Exit codes of the command line."""

CONNECTIONS_MAX = 256
"""Requests at once: people, scripts and one scraper."""

HEADER_READ_MS = 10_000
"""A request head must be complete within this."""

STOP_S = 5.0
"""What answers under way may take when the process stops."""

START_FAILURES = (ConfigErrors, StateError, StoreError, PepperError, OSError)

log = Log("control")


class Teller:
    """Tells the supervisor, once, that this process is ready, or why it is not."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def ready(self) -> None:
        self._say(b"ready\n")

    def failed(self, message: str, exit_code: int) -> int:
        if self._fd < 0:
            log.error("the control plane cannot start", why=message)
        self._say(msgspec.json.encode({"error": message, "exit_code": exit_code}) + b"\n")
        return exit_code

    def _say(self, line: bytes) -> None:
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.write(self._fd, line)
            os.close(self._fd)
            self._fd = -1


def run(
    config: Path,
    state_path: Path,
    environ: Mapping[str, str],
    ready_fd: int,
    restarted: bool,
    reloads_asked: Sequence[int],
) -> int:
    """The whole life of the process; its exit code. `reloads_asked` grows until it serves."""
    if ready_fd >= 0:
        os.set_inheritable(ready_fd, False)
    teller = Teller(ready_fd)
    state = StateDir(state_path)
    try:
        first = None if restarted else load(config, environ)  # before anything is made
        store = open_directory(state, "the control plane")
        first = first or _before(config, state, environ, store)
        board = Board.open(state.board)
        world = World(config, state, store, board, first)
        world.open(first, "start")
        operations = Operations(world, state, store, board)
        token = runinfo.admin_token(first.config, state)
    except START_FAILURES as error:
        return teller.failed(*_explained(error))
    with operations:
        try:
            background = Background(operations, first.config.journal)
        except (StoreError, OSError) as error:
            told = "No call can be held to its budgets. Moved away, the file is made anew from the recorded calls."
            return teller.failed(f"{error}. {told}", REFUSED)
        return uvloop.run(_serve(operations, background, first.config, token, teller, reloads_asked))


def _before(path: Path, state: StateDir, environ: Mapping[str, str], store: EmbeddedDirectory) -> Loaded:
    """What was in force before a crash, whatever the files say now: they are read when somebody asks for a reload."""
    kept.tidy(state, store.noted())
    with contextlib.suppress(FileNotFoundError, ConfigErrors):
        before = load(path, environ, kept.kept_config(state).read_bytes())
        return msgspec.structs.replace(before, directory=None)
    return load(path, environ)


def _explained(error: Exception) -> tuple[str, int]:
    if isinstance(error, ConfigErrors):
        lines = "\n".join(f"  {problem}" for problem in error.problems)
        return f"the configuration has errors.\n{lines}", BAD_INPUT
    return f"{error}", REFUSED


async def _serve(
    operations: Operations,
    background: Background,
    config: Config,
    token: str,
    teller: Teller,
    reloads_asked: Sequence[int],
) -> int:
    """Serves until told to stop or a part of it fails."""
    host, port = split_address(config.control.listen)
    server = Server(
        build(operations, token),
        host,
        port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        websockets=False,
        backpressure=CONNECTIONS_MAX,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_READ_MS),
        log_level=LogLevels.error,
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    operations.loop_name = loop_name(loop)
    reloads: set[asyncio.Task[None]] = set()

    def reload_asked() -> None:
        task = loop.create_task(_reload(operations))
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, reload_asked)
    if reloads_asked:
        reload_asked()
    work = [loop.create_task(server.serve(), name="the API"), *background.start(loop)]
    told = loop.create_task(_tell_when_it_answers(host, port, teller))
    stopping = loop.create_task(stop.wait())
    done, _ = await asyncio.wait([*work, stopping], return_when=asyncio.FIRST_COMPLETED)
    failure = next((task for task in done if task is not stopping), None)
    told.cancel()
    if failure is not None:
        why = failure.exception()
        log.error("a part of the control plane ended", part=failure.get_name(), why=repr(why))
        teller.failed(f"{failure.get_name()} of the control plane failed: {why}", REFUSED)
    else:
        server.stop()  # type: ignore[no-untyped-call]
        await asyncio.wait([work[0]], timeout=STOP_S)
    await background.finish(work[1:])
    stopping.cancel()
    return 0 if failure is None else REFUSED


async def _reload(operations: Operations) -> None:
    """SIGHUP."""
    try:
        done = await asyncio.to_thread(operations.reload, "signal")
    except OperationError as error:
        log.error("reload refused; what was in force still is", errors=len(error.problems))
        for problem in error.problems:
            log.error("mistake", file=problem.file, line=problem.line, at=problem.path, what=problem.message)
    except (StoreError, OSError) as error:
        log.error("reload failed", why=error)
    else:
        log.info("reloaded", generation=done.generation, changed=done.changed, directory=done.directory_changes)
        if done.needs_restart:
            log.warning("takes force at the next start", parts=",".join(done.needs_restart))


async def _tell_when_it_answers(host: str, port: int, teller: Teller) -> None:
    """The supervisor waits for this: the snapshot is out and the port answers."""
    target = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    while True:
        try:
            _, writer = await asyncio.open_connection(target, port)
        except OSError:
            await asyncio.sleep(0.01)
            continue
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        teller.ready()
        return
