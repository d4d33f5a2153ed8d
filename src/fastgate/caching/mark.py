"""Who has the shared file open, so that what a power failure or a fault left of it is never read.

The file is not flushed write by write: no process that dies harms it, but a machine that does may. Each process leaves
a mark beside it that names the boot of the machine, and takes it away after a last flush. A mark of another boot means
that nobody flushed: the file is thrown away, and answers are bought again. A file that cannot be read is set aside for
whoever wants to know why: one, whose name counts them. A process that died while it opened the file says the same.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastgate.log import Log

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

BOOT = re.compile(rb"[0-9a-f-]{36}")

DATA, LOCK = "data.mdb", "lock.mdb"

ASIDE = "damaged.mdb"
"""A file that was set aside is `damaged.mdb.N`, the N-th of its folder. The newest is kept."""

OPENING = b"opening\n"
"""Behind the boot in the mark of a process that has not come to read the file yet."""

log = Log("cache")


class Mark:
    """This process's mark in `directory`, which is made."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory = directory
        self._path = directory / f"open.{os.getpid()}"

    @contextmanager
    def opening(self) -> Iterator[None]:
        """While this process opens the file nobody else does, or sets it aside; what another boot left is cleared.
        Whatever is raised meanwhile, no mark says that this process died of it."""
        with self.alone():
            self._clear(boot_id())
            try:
                self._write(OPENING)
                flush(self._path)
                flush(self._directory)
                yield
                self._write(b"")
            except BaseException:
                self.remove()
                raise

    @contextmanager
    def alone(self) -> Iterator[None]:
        with (self._directory / "marks.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write(self, state: bytes) -> None:
        """Whole or not at all: half a mark would speak of another boot."""
        fresh = self._path.with_name(f".{self._path.name}")
        try:
            fresh.write_bytes(b"%b\n%b\n%b" % (boot_id(), started(os.getpid()), state))
            fresh.replace(self._path)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise

    def _clear(self, boot: bytes) -> None:
        marks = dict(read_marks(self._directory))
        if any(BOOT.fullmatch(told[0]) and told[0] != boot for told in marks.values()):
            for path in [*marks, self._directory / DATA, self._directory / LOCK]:
                path.unlink(missing_ok=True)
            return
        dead = {mark: told for mark, told in marks.items() if not is_alive(mark, told)}
        if any(told[-1] == OPENING.rstrip() for told in dead.values()):
            set_aside(self._directory, "a process died while it opened it")
        for mark in dead:
            mark.unlink(missing_ok=True)

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)


def read_marks(directory: Path) -> Iterator[tuple[Path, list[bytes]]]:
    """Each mark's lines: the boot, when its process started, its state where it has not come to read yet."""
    for mark in directory.glob("open.*"):
        try:
            yield mark, mark.read_bytes().rstrip().split(b"\n")
        except FileNotFoundError:
            continue  # its process has just closed the file


def is_alive(mark: Path, told: list[bytes]) -> bool:
    """Whether the very process that left the mark lives: its number may be another's by now."""
    now = started(int(mark.suffix[1:])) if mark.suffix[1:].isdecimal() else b""
    return bool(now) and (len(told) < 2 or told[1] in (now, OPENING.rstrip()))


def started(pid: int) -> bytes:
    """When a process started, in ticks since the boot; empty where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return b""


def boot_id() -> bytes:
    return BOOT_ID.read_bytes().strip()


def set_aside(directory: Path, why: object) -> None:
    """Out of the way with the file. Only for who is alone with it; processes that have it open notice by themselves
    (File.moved)."""
    before = list(directory.glob(f"{ASIDE}.*"))
    kept = directory / f"{ASIDE}.{count_aside(directory) + 1}"
    (directory / LOCK).unlink(missing_ok=True)
    try:
        (directory / DATA).rename(kept)
    except FileNotFoundError:
        return
    for path in before:
        path.unlink(missing_ok=True)
    log.warning("a file that cannot be read is set aside; what it held is bought again", file=kept, why=why)


def count_aside(directory: Path) -> int:
    """How many files of the folder were ever set aside."""
    numbers = (path.suffix[1:] for path in directory.glob(f"{ASIDE}.*"))
    return max((int(number) for number in numbers if number.isdecimal()), default=0)


def flush(path: Path) -> None:
    """On disk before anything is written that it warns of."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
