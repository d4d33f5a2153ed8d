"""The text of the configuration in force, kept for a control plane that is restarted after a bad edit or a crash.

A reload puts a text and a directory in force together, and the directory is a transaction of the store. So the text is
written beside the old one first, and its digest goes into that transaction: who starts after a crash in between takes
the text that belongs to the directory it finds. Knows nothing of what the text says.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

from fastgate.durable import clear_unfinished, write_whole
from fastgate.state import StateDir


def kept_config(state: StateDir) -> Path:
    """The text of the configuration in force."""
    return state.path / "in-force.yaml"


def offered_config(state: StateDir) -> Path:
    """The text of one that is about to be."""
    return state.path / "in-force.next.yaml"


def digest_of(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()


def offer(state: StateDir, text: bytes) -> bytes:
    """Writes the text beside the one in force; what the directory's transaction has to note. Raises OSError."""
    write_whole(offered_config(state), text, lasting=False)
    return digest_of(text)


def settle(state: StateDir) -> None:
    """The offered text is in force."""
    os.replace(offered_config(state), kept_config(state))


def clear(state: StateDir) -> None:
    """Removes what a writer left half done that was killed."""
    clear_unfinished(offered_config(state))


def withdraw(state: StateDir) -> None:
    offered_config(state).unlink(missing_ok=True)


def tidy(state: StateDir, noted: bytes) -> None:
    """Settles or withdraws what a killed reload left. `noted`: what the directory in force was applied with."""
    with contextlib.suppress(FileNotFoundError):
        if digest_of(offered_config(state).read_bytes()) == noted:
            settle(state)
        else:
            withdraw(state)
