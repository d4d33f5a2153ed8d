"""The state directory: where everything is that the gateway keeps, and the lock of its one writer.

Owns paths, modes and the lock. Must not know what the files hold.
"""

from __future__ import annotations

import fcntl
import logging
import os
from pathlib import Path
from types import TracebackType

log = logging.getLogger("fastgate.state")

PRIVATE_DIR = 0o700
PRIVATE_FILE = 0o600


class StateError(Exception):
    """The state directory cannot be used; the message says why and what to do."""


class StateBusyError(StateError):
    """Another process writes to this state directory."""


class StateDir:
    """Paths under one directory. Nothing is touched before `create`."""

    __slots__ = ("path",)

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()

    def __repr__(self) -> str:
        return f"StateDir({str(self.path)!r})"

    @property
    def run_json(self) -> Path:
        """What runs here; written by the supervisor."""
        return self.path / "run.json"

    @property
    def board(self) -> Path:
        """One shared page: generation of the published snapshot, draining."""
        return self.path / "board"

    @property
    def pepper(self) -> Path:
        return self.path / "pepper"

    @property
    def admin_token(self) -> Path:
        """Made once when the configuration names none."""
        return self.path / "admin-token"

    @property
    def directory_db(self) -> Path:
        return self.path / "fastgate.sqlite"

    @property
    def usage_db(self) -> Path:
        return self.path / "usage.sqlite"

    @property
    def counters_db(self) -> Path:
        """What is spent of each budget, and what is leased to workers."""
        return self.path / "counters.sqlite"

    @property
    def stages(self) -> Path:
        """Budget stages in force; written by the control plane."""
        return self.path / "stages.msgpack"

    @property
    def alerts_db(self) -> Path:
        return self.path / "alerts.sqlite"

    @property
    def health(self) -> Path:
        """Circuit breakers of the endpoints, in memory that all workers share."""
        return self.path / "health"

    @property
    def warmth(self) -> Path:
        """What is warm in which endpoint's prompt cache, in memory that all workers share. May be deleted while nothing
        runs: then every conversation begins cold."""
        return self.path / "warmth"

    @property
    def snapshot(self) -> Path:
        return self.path / "snapshot.msgpack"

    @property
    def journal_dir(self) -> Path:
        return self.path / "journal"

    @property
    def flight_dir(self) -> Path:
        return self.path / "flight"

    @property
    def cache_dir(self) -> Path:
        """Answers that are given again, where the configuration keeps them here. Can be deleted while nothing runs."""
        return self.path / "cache"

    @property
    def guards_dir(self) -> Path:
        """Compiled guard patterns; may be deleted, and are made again."""
        return self.path / "guards"

    @property
    def writer_lock(self) -> Path:
        """Held by whoever changes the directory."""
        return self.path / "writer.lock"

    @property
    def questions_dir(self) -> Path:
        """Increases that developers ask for: a file each."""
        return self.path / "questions"

    @property
    def rates_dir(self) -> Path:
        """The rate table that workers share, and who holds which lane of it."""
        return self.path / "rates"

    @property
    def lag_dir(self) -> Path:
        """How late the loops of workers were: a histogram each."""
        return self.path / "lag"

    @property
    def instance_lock(self) -> Path:
        """Held by a running gateway, its supervisor and both planes."""
        return self.path / "instance.lock"

    def create(self) -> StateDir:
        """Make what is missing and prove that it can be written. What others could look into here, as versions before
        let them into `cache/`, is shut; the directory itself is its owner's to open. Raises StateError."""
        folders = (self.journal_dir, self.flight_dir, self.rates_dir, self.lag_dir, self.questions_dir, self.cache_dir)
        for path in (self.path, *folders):
            try:
                path.mkdir(mode=PRIVATE_DIR, parents=True, exist_ok=True)
            except FileExistsError:
                raise StateError(f"{path} is a file; move it, or set another directory as `state`") from None
            except OSError as error:
                raise StateError(f"{path} cannot be made: {error.strerror}; set another `state`") from None
            if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
                raise StateError(f"{path} is not writable for user id {os.geteuid()}; set its owner or another `state`")
            if path != self.path:
                shut(path)
        return self

    def lock_writer(self, purpose: str) -> WriterLock:
        """Become the one writer. Raises StateBusyError, which names the process that is."""
        return WriterLock(self.writer_lock, purpose)


def shut(path: Path) -> None:
    """Take from a directory what its mode gives to others than its owner. Raises StateError where it is another's."""
    mode = path.stat().st_mode & 0o777
    if mode == mode & PRIVATE_DIR:
        return
    try:
        path.chmod(mode & PRIVATE_DIR)
    except OSError as error:
        raise StateError(f"{path} is open to others (mode {mode:o}): {error.strerror}; chmod 700 it") from None
    log.warning("%s was open to others (mode %o) and is not any more", path, mode)


class WriterLock:
    """An flock that ends with its process, however it dies. The file's text is for people only."""

    def __init__(self, path: Path, purpose: str) -> None:
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
        except OSError as error:
            raise StateError(f"{path} cannot be opened: {error.strerror}") from None
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(self._fd, 200, 0).decode("utf-8", "replace").strip() or "another process"
            os.close(self._fd)
            raise StateBusyError(f"{path.parent} is being written by {holder}; use that one, or stop it") from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{purpose} (process {os.getpid()})\n".encode(), 0)

    @property
    def fd(self) -> int:
        """A process that inherits it holds the lock too."""
        return self._fd

    def release(self) -> None:
        """Give the lock back. Twice is once."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> WriterLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()
