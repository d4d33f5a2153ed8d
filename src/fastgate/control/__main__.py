"""`python -m fastgate.control --config FILE --state DIR`: the control plane, as the supervisor runs it."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from fastgate.log import set_up
from fastgate.proc import die_with_parent

NICENESS = 5
"""Calls come first: where both want a core, a worker gets three times as much of it. Counting catches up."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="fastgate.control")
    parser.add_argument("--config", required=True, type=Path)
    parser.add_argument("--state", required=True, type=Path)
    parser.add_argument("--ready-fd", type=int, default=-1, help="told when the first snapshot is out, or why not")
    parser.add_argument("--reload", action="store_true", help="reload once, as if asked by SIGHUP")
    parser.add_argument("--restarted", action="store_true", help="go on with the configuration that was in force")
    asked: list[int] = []
    signal.signal(signal.SIGHUP, lambda number, _: asked.append(number))  # heard before anything can act on it
    options = parser.parse_args()
    if options.reload:
        asked.append(signal.SIGHUP)
    die_with_parent()
    os.nice(NICENESS)
    set_up()
    from fastgate.control.process import run

    sys.exit(run(options.config, options.state, os.environ, options.ready_fd, options.restarted, asked))


if __name__ == "__main__":
    main()
