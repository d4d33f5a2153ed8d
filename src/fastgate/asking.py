"""Increases that developers ask for with their own keys, on their way between the planes: one small file each.

A worker writes the file, and what it has acknowledged is on the disk; the control plane takes it into its directory,
writes back what became of it, and removes it a day after that. So the developer sees both, and a key has as many
questions open as files. Knows no budgets' selectors, no HTTP and no database.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from fastgate.clock import wall_ns
from fastgate.durable import write_whole
from fastgate.log import Log
from fastgate.times import NS

MAX_REASON_CHARS = 300
"""Of an increase or pause; it stands in refusals, which are one line on a terminal."""
MAX_AHEAD_NS = 366 * 86400 * NS
"""How far ahead an increase may end: what is to last longer is another limit."""

OPEN_PER_KEY = 5
"""Questions of one key that wait or were asked within the last hour: who decides reads each of them."""
RATE_NS = 3600 * NS
FILES_MAX = 10_000
"""Of all keys, a day's decided ones included: 4 MB of files, and a second's look at them stays below 0.1 s."""
KEPT_NS = 86_400 * NS
"""How long what became of a question is shown to who asked it."""
FILE_BYTES = 4096
"""More than the longest question comes to."""
KEYS_KEPT = 1024
"""Keys whose questions are remembered until the next one comes."""
SETTLED_NS = 2 * NS
"""A folder that changed less than this ago may change again without another time: clocks of file systems tick every
0.01 s, of some every two seconds."""

log = Log("asking")

State = Literal["asked", "requested", "approved", "denied", "ended"]
"""asked: not yet in the directory. The others are the directory's."""


class TooManyError(Exception):
    """There is no room for another question; the message says whose."""


class Asked(msgspec.Struct, frozen=True):
    """One question. `created_ns` is the budget's: one made anew under the old name was not asked about."""

    id: str
    budget: str
    created_ns: int
    cell: str
    key: str
    amount_nano: int
    not_after_ns: int
    reason: str
    asked_ns: int
    state: State = "asked"
    decided_by: str = ""
    decided_ns: int = 0

    @property
    def waits(self) -> bool:
        return self.state in ("asked", "requested")

    def over_ns(self) -> int:
        """When nothing more becomes of it: it was decided, or its own end has come."""
        return self.decided_ns if self.state in ("denied", "ended") else self.not_after_ns


def reason_problem(reason: str) -> str | None:
    """What is wrong with the reason of an increase or pause."""
    fine = 0 < len(reason) <= MAX_REASON_CHARS and reason.isprintable() and reason == reason.strip()
    return None if fine else f"a reason is needed: 1 to {MAX_REASON_CHARS} printable characters on one line"


def until_problem(until_ns: int, now_ns: int) -> str | None:
    """What is wrong with the end of an increase."""
    fine = now_ns < until_ns <= now_ns + MAX_AHEAD_NS
    return None if fine else "an increase must end in the future, within a year; for longer, set usd"


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Asked).decode


class _Kept(NamedTuple):
    """What was read while the folder was last changed at `changed_ns`, by prefix."""

    changed_ns: int
    found: dict[str, list[Asked]]


class Questions:
    """The files of one state directory. Methods wait for the disk: not for the loop. Each raises OSError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept = _Kept(0, {})

    def of(self, key: str) -> list[Asked]:
        """What was asked with a key, oldest first. Every refusal asks; while nothing is new the folder is not read."""
        prefix, kept = _prefix(key), self._kept
        changed_ns = os.stat(self._folder).st_mtime_ns
        if kept.changed_ns == changed_ns and (known := kept.found.get(prefix)) is not None:
            return list(known)
        found = self._read(prefix)
        if changed_ns < wall_ns() - SETTLED_NS:
            if kept.changed_ns != changed_ns or len(kept.found) >= KEYS_KEPT:
                self._kept = kept = _Kept(changed_ns, {})
            kept.found[prefix] = found
        return list(found)

    def all(self) -> list[Asked]:
        return self._read("")

    def put(self, asked: Asked) -> None:
        """On the disk when this returns. Raises TooManyError; nothing is left of it then."""
        with self._locked():
            if len(self._names("")) >= FILES_MAX:
                raise TooManyError(f"{FILES_MAX} increases have been asked for already")
            since_ns = asked.asked_ns - RATE_NS
            now_ns = asked.asked_ns
            recent = [
                each
                for each in self.of(asked.key)
                if since_ns < each.asked_ns or (each.waits and now_ns < each.not_after_ns)
            ]
            if len(recent) >= OPEN_PER_KEY:
                raise TooManyError(f"{OPEN_PER_KEY} increases of this key wait, or were asked for within the last hour")
            self.write(asked)

    def write(self, asked: Asked) -> None:
        """Make or replace the file of one question, whole."""
        write_whole(self._path(asked), _encode(asked))

    def drop(self, asked: Asked) -> None:
        self._path(asked).unlink(missing_ok=True)

    def _path(self, asked: Asked) -> Path:
        return self._folder / f"{_prefix(asked.key)}{asked.id}.json"

    def _names(self, prefix: str) -> list[str]:
        return [name for name in os.listdir(self._folder) if name.startswith(prefix) and name.endswith(".json")]

    def _read(self, prefix: str) -> list[Asked]:
        found = []
        for name in self._names(prefix):
            path = self._folder / name
            try:
                found.append(_decode(path.read_bytes()))
            except FileNotFoundError:  # it is over, and was removed meanwhile
                continue
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                log.error("a question cannot be read", file=str(path), why=error)
        return sorted(found, key=lambda asked: (asked.asked_ns, asked.id))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Among workers: two that count at once would both find room for the last."""
        fd = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)


def _prefix(key: str) -> str:
    """Of the files of one key: ids may hold what no file name does."""
    return sha256(key.encode()).hexdigest()[:32] + "-"
