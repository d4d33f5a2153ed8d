"""How other programs of the same user find the running instance and may speak to it: run.json and the admin token.

Both are 0600. run.json is the supervisor's from start to exit; the command line and `doctor` read it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fastgate import proc
from fastgate.durable import clear_unfinished, write_whole
from fastgate.state import PRIVATE_FILE, StateDir

if TYPE_CHECKING:
    from fastgate.config import Config

TOKEN_BYTES = 32
"""256 bits: beyond guessing at any rate."""


class RunInfo(msgspec.Struct, frozen=True):
    """One running instance. `listen` and `control` are addresses (host:port) that answer on this machine."""

    pid: int
    listen: str
    control: str
    admin_token: str
    config: str
    started_at: str
    """RFC 3339, UTC."""
    workers: int = 0
    state: str = ""


def write(path: Path, info: RunInfo) -> None:
    """Replaces the file as a whole: a reader finds the old one, the new one or none. What a killed writer left, with
    its token, goes: there is one at a time, the supervisor that holds the instance's lock."""
    clear_unfinished(path)
    write_whole(path, msgspec.json.format(msgspec.json.encode(info), indent=2) + b"\n", lasting=False)


def read(path: Path) -> RunInfo | None:
    """What the file says, None when there is none or it is not one. May be stale: see `is_running`."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=RunInfo)
    except (OSError, msgspec.MsgspecError):
        return None


def remove(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()


def is_running(info: RunInfo) -> bool:
    """Whether the process that wrote it still runs; a killed supervisor leaves the file behind."""
    return proc.is_alive(info.pid)


def admin_token(config: Config, state: StateDir) -> str:
    """The admin API's bearer token: the configuration's, else one that is made once and kept 0600 in the state."""
    if config.control.admin_token is not None:
        return config.control.admin_token.reveal()
    path = state.admin_token
    with contextlib.suppress(FileNotFoundError):
        if token := path.read_text(encoding="ascii").strip():
            return token
        path.unlink()  # an empty token would let everyone in
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, PRIVATE_FILE)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{secrets.token_urlsafe(TOKEN_BYTES)}\n")
    with contextlib.suppress(FileExistsError):
        os.link(temporary, path)  # never replaces: two processes that race end with the same token
    temporary.unlink()
    return path.read_text(encoding="ascii").strip()
