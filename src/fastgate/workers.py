"""The live data-plane workers of a state directory, as their flight tables tell. Reads only."""

from __future__ import annotations

from fastgate.journal.flight import SUFFIX, FlightHeader, peek
from fastgate.state import StateDir


def live_workers(state: StateDir) -> list[FlightHeader]:
    """Every live worker, oldest first."""
    found: list[FlightHeader] = []
    for path in sorted(state.flight_dir.glob("*" + SUFFIX)):
        try:
            header = peek(path)
        except OSError:
            continue  # gone since, or of a worker that has just begun
        if header.alive:
            found.append(header)
    return found


def in_flight(state: StateDir) -> int:
    """Calls in all of them, those whose body is still coming or that wait for money too."""
    return sum(worker.unfinished for worker in live_workers(state))
