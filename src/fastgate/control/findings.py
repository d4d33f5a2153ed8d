"""What `diagnose` looks at and what it finds. Shapes only, without the compiled modules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from fastgate.config import Config
from fastgate.state import StateDir

if TYPE_CHECKING:
    from fastgate.runinfo import RunInfo

Severity = Literal["ok", "warning", "error"]


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at. `fix` is empty where nothing needs one."""

    id: str
    severity: Severity
    message: str
    fix: str = ""


class Subject(NamedTuple):
    """What is looked at."""

    config: Config
    state: StateDir
    run: RunInfo | None
    """The instance that run.json names, running or not."""
    running: bool
    environ: Mapping[str, str]
