"""Runs a command in make's place at the terminal: Ctrl-C reaches the command alone, which drains and exits 0, and make
reports that instead of an interrupt of its own. Without a terminal it only runs the command.

    foreground.py COMMAND [ARGUMENT...]
"""

import os
import signal
import sys

STDIN = 0


def take_terminal() -> None:
    """Make this process the terminal's foreground group, if its group is that now. The shell takes it back later."""
    try:
        if os.tcgetpgrp(STDIN) != os.getpgrp():
            return
    except OSError:  # no terminal, or not the one of this session
        return
    os.setpgid(0, 0)
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # sent to whoever takes the terminal from the background
    os.tcsetpgrp(STDIN, os.getpid())
    signal.signal(signal.SIGTTOU, before)
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)  # Ctrl-Z: no shell would know how to continue it


if __name__ == "__main__":
    take_terminal()
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - the point of it
