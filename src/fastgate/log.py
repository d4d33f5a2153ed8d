"""Log lines of the long-running processes: one event a line on standard error, `time level part: message key=value`.

For operators, not for programs; finished calls are in the journal, never here. No prompt, header or key is logged.
Every part logs through the standard `logging` under `fastgate.`; this owns how a line looks and that it is one write.
"""

from __future__ import annotations

import logging
import os
import sys

from fastgate.clock import wall_ns
from fastgate.times import rfc3339

ROOT = "fastgate"

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:/@+,[]%")


class _OneWrite(logging.Handler):
    """Writes each line with a single system call, so that processes do not interleave. A closed terminal or a full
    disk must not stop the gateway, so a line that cannot be written is lost."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = f"{rfc3339(wall_ns())} {record.levelname.lower()} {part(record.name)}: {self.format(record)}\n"
            os.write(sys.stderr.fileno(), line.encode("utf-8", "backslashreplace"))
        except (OSError, ValueError, AttributeError):
            return


def set_up() -> None:
    """Sends everything under `fastgate.` to standard error. Once in each process, first thing."""
    root = logging.getLogger(ROOT)
    root.handlers[:] = [_OneWrite()]
    root.setLevel(logging.INFO)
    root.propagate = False


def part(name: str) -> str:
    return name.removeprefix(f"{ROOT}.")


class Log:
    """The log of one part of the program, with facts as `key=value`."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(f"{ROOT}.{name}")

    def info(self, message: str, **facts: object) -> None:
        self._logger.info("%s%s", message, _told(facts))

    def warning(self, message: str, **facts: object) -> None:
        self._logger.warning("%s%s", message, _told(facts))

    def error(self, message: str, **facts: object) -> None:
        self._logger.error("%s%s", message, _told(facts))


def _told(facts: dict[str, object]) -> str:
    return "".join(f" {name}={_value(value)}" for name, value in facts.items())


def _value(value: object) -> str:
    """A value that one line and one look can take: quoted where it holds anything but plain characters."""
    text = str(value)
    if text and _PLAIN.issuperset(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r") + '"'
