"""The data plane's workers as their flight tables and /proc show them. Reads only."""

from __future__ import annotations

from fastgate import proc
from fastgate.control.shapes import Worker
from fastgate.journal.flight import peek
from fastgate.state import StateDir
from fastgate.times import rfc3339


def live_workers(state: StateDir) -> list[Worker]:
    """Every live worker, oldest first."""
    found: list[Worker] = []
    for path in sorted(state.flight_dir.glob("*.flight")):
        try:
            header = peek(path)
        except OSError:
            continue  # gone since, or not finished
        if header.alive:
            found.append(
                Worker(
                    header.pid,
                    header.epoch,
                    rfc3339(header.started_ns),
                    header.in_flight,
                    header.generation,
                    proc.event_loop_of(header.pid),
                )
            )
    return found
