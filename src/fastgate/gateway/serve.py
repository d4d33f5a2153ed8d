"""Starts the data plane: Granian over RSGI with settings chosen on purpose, and workers that are always replaced.

`python -m fastgate.gateway.serve --host H --port P --workers N --state DIR`, as the supervisor runs it.
"""

from __future__ import annotations

import argparse
import os
import time
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops, RuntimeModes, TaskImpl
from granian.http import HTTP1Settings

from fastgate.proc import die_with_parent, take_limits

BACKLOG = 4096
"""Connections waiting to be accepted: Linux's own default ceiling (net.core.somaxconn)."""

CONNECTIONS_MAX = 16_384
"""Connections one worker serves at once. Granian's default, backlog / workers, leaves the rest hanging."""

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


class Server(Granian):  # type: ignore[misc, valid-type]
    """Granian, with a worker that died replaced at once, for ever. Granian's own loop gives up on the whole server
    when one worker dies twice within 5.5 s."""

    def _serve_loop(self, spawn_target: Any, target_loader: Any) -> None:
        pause_s = 0.0
        while True:
            self.main_loop_interrupt.wait()
            if self.interrupt_signal:
                return
            self.main_loop_interrupt.clear()
            dead, self.interrupt_children[:] = sorted(set(self.interrupt_children)), []
            lived_s = min((time.monotonic() - self.wrks[index].birth for index in dead), default=SHORT_LIFE_S)
            pause_s = min(max(pause_s * 2, 0.1), RESPAWN_MAX_S) if lived_s < SHORT_LIFE_S else 0.0
            time.sleep(pause_s)
            for index in dead:
                self.wrks[index].join()
                self.wrks[index] = self._spawn_worker(index, spawn_target, target_loader)
                self.wrks[index].start()


def main() -> None:
    parser = argparse.ArgumentParser(prog="fastgate.gateway.serve")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--state", required=True)
    options = parser.parse_args()
    die_with_parent()
    take_limits()
    # A worker is a thread for Python and one for I/O that share the interpreter lock. Woken by one another they would
    # preempt each other several times a call; as batch tasks each runs until it waits (a fifth less CPU a call).
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    os.environ["FASTGATE_STATE"] = os.path.abspath(options.state)
    Server(
        "fastgate.gateway.app:app",
        address=options.host,
        port=options.port,
        interface=Interfaces.RSGI,
        workers=options.workers,
        runtime_mode=RuntimeModes.st,
        loop=Loops.uvloop,
        task_impl=TaskImpl.asyncio,
        http=HTTPModes.http1,
        websockets=False,
        backlog=BACKLOG,
        backpressure=CONNECTIONS_MAX,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_READ_MS, max_buffer_size=HEADER_BUFFER_BYTES),
        workers_kill_timeout=KILL_AFTER_S,
    ).serve()


if __name__ == "__main__":
    main()
