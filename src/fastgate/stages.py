"""Budget stages as the control plane publishes them and workers read them: one file, replaced whole.

Settled spend alone decides a stage; the control plane works it out from what is charged (control/stages.py). Workers
look when the board says that there is news. Listed are the cells that have reached a stage, and those of soft budgets.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from fastgate.durable import write_whole
from fastgate.snapshot import StageAction
from fastgate.stores.ledger_port import CellKey


class StageNote(NamedTuple):
    """What is said of a cell: the furthest stage its settled spend has reached, and that spend."""

    stage: StageAction | None
    spent_nano: int


class StageChange(msgspec.Struct, frozen=True):
    """A cell has come to another stage: what alerts are made of. `stage` is empty where it has none any more, also
    because its period is over or its budget gone."""

    budget: str
    created_ns: int
    cell: str
    """The member or tag value whose cell it is; empty for a budget's only one."""
    period_start_ns: int
    """0 for a window that moves."""
    stage: str
    spent_nano: int
    usd_nano: int
    at_ns: int


Entry = tuple[str, int, str, int, StageAction | None, int]
"""budget, created_ns, cell, start_ns (0: a window), stage, spent_nano"""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Entry]).decode


def write_stages(path: Path, notes: Mapping[CellKey, StageNote]) -> None:
    """Replace the file. Raises OSError."""
    write_whole(path, _encode([(*key, *note) for key, note in notes.items()]), lasting=False)


def read_stages(path: Path) -> dict[CellKey, StageNote]:
    """What was published; nothing before the first time. Raises OSError or ValueError."""
    try:
        entries = _decode(path.read_bytes())
    except FileNotFoundError:
        return {}
    return {CellKey(*entry[:4]): StageNote(entry[4], entry[5]) for entry in entries}
