"""A part of bench/README.md that some benchmark wrote: a table, what was measured, and whether its goals were met.

Each benchmark leaves one in `bench/NAME.json`; bench.render puts all of them on the page, in the order of their names.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.machine import facts

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Goal:
    """One goal, in words with the figure that was measured and the one that was wanted. `load`: what bench.profile
    calls the load whose time it is about; `why`: what else there is to say where it was missed."""

    text: str
    met: bool
    load: str = ""
    why: str = ""


@dataclass(frozen=True)
class Section:
    """`about` says what was measured and how; every row has a cell a column, ready to be read."""

    title: str
    about: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    goals: Sequence[Goal] = ()
    machine: dict[str, Any] = field(default_factory=facts)

    def write(self, name: str, **more: Any) -> Path:
        """Leaves it in `bench/NAME.json` for bench.render, with whatever else is to be found there."""
        path = HERE / f"{name}.json"
        path.write_text(json.dumps({"section": asdict(self)} | more, indent=1, ensure_ascii=False) + "\n")
        return path


def sections(folder: Path = HERE) -> list[Section]:
    """All that benchmarks left in `folder`."""
    documents = (json.loads(path.read_text()) for path in sorted(folder.glob("*.json")))
    return [read(document["section"]) for document in documents if isinstance(document, dict) and "section" in document]


def read(document: dict[str, Any]) -> Section:
    goals = tuple(Goal(**goal) for goal in document["goals"])
    return Section(**(document | {"goals": goals}))
