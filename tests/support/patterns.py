"""Compiled guard patterns, shared by every gateway that the tests start: compiling takes a second of CPU each time.

They are named by a digest of all they are made of (`guards/engine.py`), so that what lies here is what would be made.
"""

from __future__ import annotations

from pathlib import Path

from fastgate.state import StateDir

_kept: Path | None = None


def keep_in(directory: Path) -> None:
    """Where this run and later ones keep them."""
    global _kept
    _kept = directory


def share(state: Path) -> None:
    """Let what will run in this state directory use what is kept, and add to it, where this run keeps anything."""
    if _kept is None:
        return
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = StateDir(state).guards_dir
    if not place.is_symlink():  # the second start in one folder
        place.symlink_to(_kept, target_is_directory=True)
