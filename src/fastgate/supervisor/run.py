"""The supervisor's life: bring up, watch, drain, stop. One thread, one loop, driven by signals and time.

Order of start: further processes, control plane (it publishes the first snapshot), data plane; stop is the reverse, so
that the control plane still reads the last records. The data plane serves on while the control plane is away.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from fastgate import runinfo
from fastgate.clock import mono_ns, wall_ns
from fastgate.config_checks import split_address
from fastgate.log import Log, set_up
from fastgate.runinfo import RunInfo
from fastgate.supervisor.child import NS, Child, Extra, python, told
from fastgate.supervisor.drain import Drain
from fastgate.supervisor.prepare import Prepared, StartError, prepare
from fastgate.supervisor.ready import accepts, answers_ready, failure_told, reachable
from fastgate.supervisor.signals import RELOAD, STOP, Signals
from fastgate.times import rfc3339
from fastgate.workers import live_workers

START_S = 60.0
"""A child must be ready within this when the gateway starts: a directory of 100,000 keys takes about ten."""

POLL_S = 0.05
"""How often readiness and a stopping child are looked at."""

IDLE_S = 60.0
"""Longest sleep of the watch; only a signal or a planned restart gives it anything to do."""

PLANE_STOP_S = 15.0
"""What the data plane may take from SIGTERM to its end: more than the 10 s after which it kills its own workers."""

CONTROL_STOP_S = 10.0
"""What the control plane may take: it reads the last records and closes its databases."""

EXTRA_STOP_S = 5.0

CONTROL_PLANE = "control plane"
DATA_PLANE = "data plane"

log = Log("supervisor")


class _StopAsked(Exception):  # noqa: N818 - not an error: the operator stopped the start
    """A signal to stop came before the gateway was up."""


class Supervisor:
    """Runs one gateway in the foreground. `run` returns the exit code of `fastgate serve`."""

    def __init__(
        self,
        config_path: Path,
        workers: int | None = None,
        *,
        extra: Sequence[Extra] = (),
        on_ready: Callable[[RunInfo], None] | None = None,
    ) -> None:
        self.config_path = config_path
        self.workers = workers
        self.extra = extra
        self.on_ready = on_ready
        self._children: list[Child] = []
        self._reload_waits = False
        self._terminal = _own_terminal()

    def run(self) -> int:
        set_up()
        try:
            prepared = prepare(self.config_path, self.workers)
        except StartError as error:
            return _refuse(error)
        with contextlib.closing(prepared), Signals() as signals:
            try:
                self._bring_up(prepared, signals)
                self._watch(signals)
            except StartError as error:
                return _refuse(error)
            except _StopAsked:
                log.info("asked to stop while starting")
            else:
                log.info("asked to stop")
            finally:
                try:
                    self._drain(prepared, signals)
                finally:
                    self._stop_children(signals)
                    runinfo.remove(prepared.state.run_json)
        log.info("stopped")
        return 0

    # -- start ------------------------------------------------------------------------------------------------------

    def _bring_up(self, prepared: Prepared, signals: Signals) -> None:
        for problem in prepared.warnings:
            log.warning(str(problem))
        config, state, lock_fd = prepared.config, prepared.state, prepared.lock.fd
        for extra in self.extra:
            child = self._add(Child(extra.name, python("fastgate.proc", *extra.argv), lock_fd))
            child.start()
            if extra.port:
                self._wait_for(signals, child, partial(accepts, "127.0.0.1", extra.port))
        paths = ["--config", str(prepared.config_path), "--state", str(state.path)]
        control = self._add(Child(CONTROL_PLANE, python("fastgate.control", *paths), lock_fd))
        self._start_control(signals, control)
        # Before the data plane answers: who finds it ready finds the way to the control plane too.
        info = RunInfo(
            pid=os.getpid(),
            listen=reachable(config.listen),
            control=reachable(config.control.listen),
            admin_token=prepared.token,
            config=str(prepared.config_path),
            started_at=rfc3339(wall_ns()),
            workers=prepared.workers,
            state=str(state.path),
        )
        runinfo.write(state.run_json, info)
        host, port = split_address(config.listen)
        place = ["--host", host, "--port", str(port), "--workers", str(prepared.workers), "--state", str(state.path)]
        if config.pin_workers:
            place.append("--pin")
        if config.tls is not None:
            place += ["--tls-cert", config.tls.cert, "--tls-key", config.tls.key]
        place += ["--drain-s", str(config.limits.drain_s), "--connections", str(config.limits.connections)]
        journal = {
            "FASTGATE_JOURNAL_FSYNC": config.journal.fsync,
            "FASTGATE_JOURNAL_SEGMENT_BYTES": str(config.journal.segment_bytes),
        }
        plane = self._add(Child(DATA_PLANE, python("fastgate.gateway.serve", *place), lock_fd, journal))
        plane.start()
        self._wait_for(
            signals,
            plane,
            lambda: answers_ready(host, port, config.tls is not None) and len(live_workers(state)) >= prepared.workers,
        )
        log.info(
            "serving",
            listen=config.listen,
            control=config.control.listen,
            workers=prepared.workers,
            open_files=prepared.open_files,
            state=state.path,
            config=prepared.config_path,
        )
        if self.on_ready is not None:
            self.on_ready(info)

    def _add(self, child: Child) -> Child:
        self._children.append(child)
        return child

    def _start_control(self, signals: Signals, control: Child) -> None:
        """The control plane says through a pipe that the snapshot is published and its port answers, or why not."""
        read_fd, write_fd = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            control.start("--ready-fd", str(write_fd), pass_fds=[write_fd])
            os.close(write_fd)
            write_fd = -1
            said = b""
            end_ns = mono_ns() + int(START_S * NS)
            while not said.endswith(b"\n"):
                self._heed(signals.wait(POLL_S if control.is_running() else 0.0, also_fd=read_fd))
                with contextlib.suppress(BlockingIOError):
                    said += os.read(read_fd, 65536)
                self._require_alive(control, end_ns, failure_told(said))
            if failure := failure_told(said):
                raise failure
        finally:
            for fd in (read_fd, write_fd):
                if fd >= 0:
                    os.close(fd)

    def _wait_for(self, signals: Signals, child: Child, ready: Callable[[], bool]) -> None:
        end_ns = mono_ns() + int(START_S * NS)
        while not ready():
            self._heed(signals.wait(POLL_S))
            self._require_alive(child, end_ns, None)

    def _heed(self, came: list[signal.Signals]) -> None:
        if STOP.intersection(came):
            raise _StopAsked

    def _require_alive(self, child: Child, end_ns: int, reason: StartError | None) -> None:
        code = child.reap()
        if code is not None:
            raise reason or StartError(
                f"the {child.name} ended while starting ({told(code)}).", "its last lines say why"
            )
        if mono_ns() > end_ns:
            raise StartError(f"the {child.name} was not ready within {START_S:.0f} s.", "its last lines say why")

    # -- watch ------------------------------------------------------------------------------------------------------

    def _watch(self, signals: Signals) -> None:
        """Restarts what dies, forwards reloads; returns when the gateway is to stop."""
        came: list[signal.Signals] = []
        while True:
            # Before any wait: what ended while another child started has been told of, to those who waited for that.
            for child in self._children:
                self._look_after(child)
            self._bury_orphans()
            if RELOAD in came:
                log.info("reload asked for")
                control = self._child(CONTROL_PLANE)
                control.send(signal.SIGHUP)
                self._reload_waits = not control.is_running()
            due_ns = [child.restart_at_ns for child in self._children if child.restart_at_ns]
            pause_s = min([(at_ns - mono_ns()) / NS for at_ns in due_ns], default=IDLE_S)
            came = signals.wait(pause_s)
            if RELOAD in came and self._terminal_gone():
                log.info("the terminal is gone")
                return
            if STOP.intersection(came):
                return

    def _look_after(self, child: Child) -> None:
        code = child.reap()
        if code is not None:
            pause_s = child.plan_restart()
            log.error("a child ended", child=child.name, why=told(code), restart_in_s=f"{pause_s:.1f}")
        if child.restart_at_ns and mono_ns() >= child.restart_at_ns:
            child.start(*(self._control_again() if child.name == CONTROL_PLANE else []))
            log.info("started again", child=child.name, pid=child.pid, starts=child.starts)

    def _control_again(self) -> list[str]:
        """How the control plane goes on: with what was in force, and the reload that found it away."""
        waited, self._reload_waits = self._reload_waits, False
        return ["--restarted", *(["--reload"] if waited else [])]

    def _bury_orphans(self) -> None:
        """As the first process of a container it inherits what lost its parent, and must take notice of its end."""
        own = {child.pid for child in self._children}
        with contextlib.suppress(ChildProcessError):
            while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                if ended.si_pid in own:
                    return  # the next look after the children tells of it
                os.waitpid(ended.si_pid, 0)

    def _child(self, name: str) -> Child:
        return next(child for child in self._children if child.name == name)

    def _terminal_gone(self) -> bool:
        """Whether a SIGHUP means that the terminal was closed, rather than a reload."""
        return self._terminal and not _own_terminal()

    # -- stop -------------------------------------------------------------------------------------------------------

    def _drain(self, prepared: Prepared, signals: Signals) -> None:
        """Calls in flight may finish; new ones are refused. Ends with none left, or at the deadline. A data plane that
        was still starting may have taken calls already."""
        plane = next((child for child in self._children if child.name == DATA_PLANE), None)
        if plane is None or not plane.is_running():
            return
        drain = Drain(prepared.board, prepared.state, prepared.config.limits.drain_s)
        drain.begin()
        while plane.is_running() and not drain.over():
            came = signals.wait(POLL_S)
            for _ in STOP.intersection(came):
                drain.hasten()
            code = plane.reap()
            if code is not None:
                log.error("the data plane ended while draining", why=told(code))

    def _stop_children(self, signals: Signals) -> None:
        """The reverse of the start. Everything is gone when this returns."""
        limits_s = {DATA_PLANE: PLANE_STOP_S, CONTROL_PLANE: CONTROL_STOP_S}
        for child in reversed(self._children):
            self._stop(signals, child, limits_s.get(child.name, EXTRA_STOP_S))

    def _stop(self, signals: Signals, child: Child, limit_s: float) -> None:
        child.restart_at_ns = 0
        child.send(signal.SIGTERM)
        end_ns = mono_ns() + int(limit_s * NS)
        while child.is_running() and child.reap() is None:
            if STOP.intersection(signals.wait(POLL_S)) or mono_ns() > end_ns:
                log.warning("killed: it did not stop by itself", child=child.name)
                child.send_group(signal.SIGKILL)
                end_ns = mono_ns() + int(limit_s * NS)


def _own_terminal() -> bool:
    """Whether standard input is a terminal that is still there."""
    try:
        return os.isatty(0) and os.tcgetpgrp(0) >= 0
    except OSError:
        return False


def _refuse(error: StartError) -> int:
    """Says why there is no gateway."""
    sys.stderr.write(f"fastgate: {error.message}\n")
    if error.fix:
        sys.stderr.write(f"  fix: {error.fix}\n")
    return error.exit_code
