"""Log lines of the long-running processes: one event a line on standard error, `time level part message key=value`.

For operators, not for programs; finished calls are in the journal, never here. No prompt, header or key is logged.
"""

from __future__ import annotations

import os
import sys

from fastgate.clock import wall_ns
from fastgate.times import rfc3339

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:/@+,[]%")


def _value(value: object) -> str:
    """A value that one line and one look can take: quoted where it holds anything but plain characters."""
    text = str(value)
    if text and _PLAIN.issuperset(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r") + '"'


class Log:
    """Writes the lines of one part of the program, each with a single write so that processes do not interleave."""

    def __init__(self, part: str) -> None:
        self._part = part

    def info(self, message: str, **facts: object) -> None:
        self._write("info", message, facts)

    def warning(self, message: str, **facts: object) -> None:
        self._write("warning", message, facts)

    def error(self, message: str, **facts: object) -> None:
        self._write("error", message, facts)

    def _write(self, level: str, message: str, facts: dict[str, object]) -> None:
        tail = "".join(f" {name}={_value(value)}" for name, value in facts.items())
        line = f"{rfc3339(wall_ns())} {level} {self._part}: {message}{tail}\n"
        try:
            os.write(sys.stderr.fileno(), line.encode("utf-8", "backslashreplace"))
        except (OSError, ValueError, AttributeError):
            return  # a closed terminal must not stop the gateway
