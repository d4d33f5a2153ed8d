"""Claude Code in a terminal of its own: a pseudo-terminal whose screen is read as text. `-p` shows no status line."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.claude import Claude

ROWS, COLUMNS = 40, 160
SHOWN_S = 30.0
"""The first screen takes a second; a machine that does much else takes longer."""

_CONTROL = re.compile(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-9;?<>=]*[ -/]*[@-~]|\x1b.")


class Terminal:
    """A running Claude Code. `text` is everything that it has drawn, without colours, movements and blanks: a blank may
    be a movement."""

    def __init__(self, pid: int, fd: int) -> None:
        self.pid = pid
        self._fd = fd
        self._raw = b""

    @property
    def text(self) -> str:
        return "".join(_CONTROL.sub("", self._raw.decode(errors="replace")).split())

    def wait_for(self, words: str, within_s: float = SHOWN_S) -> str:
        """Everything drawn, once `words` are among it, blanks aside."""
        end = time.monotonic() + within_s
        while "".join(words.split()) not in self.text:
            assert time.monotonic() < end, f"not on the screen: {words!r}\n{self.text[-2000:]}"
            self._read()
        return self.text

    def type(self, words: str) -> None:
        """Types a prompt and sends it."""
        os.write(self._fd, words.encode())
        time.sleep(0.3)  # what comes in one piece with its return is taken for pasted text
        os.write(self._fd, b"\r")

    def resize(self, rows: int, columns: int) -> None:
        """Makes it draw all of its screen anew: else only the letters that changed are drawn."""
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def _read(self) -> None:
        poll = select.poll()  # select() takes no descriptor beyond 1023, and the suite has had thousands open
        poll.register(self._fd, select.POLLIN)
        if poll.poll(100):
            try:
                self._raw += os.read(self._fd, 65536)
            except OSError:  # the other end is gone
                time.sleep(0.1)


@contextmanager
def terminal(claude: Claude, settings: dict[str, object]) -> Iterator[Terminal]:
    """Claude Code at its prompt, with `settings` as the user's own; the first-run questions are answered already."""
    (claude.home / ".claude").mkdir(exist_ok=True)
    (claude.home / ".claude" / "settings.json").write_text(json.dumps(settings))
    known = {"hasCompletedOnboarding": True, "theme": "dark"}
    trusted = {"projects": {str(claude.project): {"hasTrustDialogAccepted": True}}}
    (claude.home / ".claude.json").write_text(json.dumps(known | trusted))
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(claude.project)
        os.execve(claude.binary, [str(claude.binary)], claude.environment(TERM="xterm-256color"))
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    try:
        yield Terminal(pid, fd)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(fd)
