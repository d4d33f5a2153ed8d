"""The guards, with every built-in family on: a small chat, a whole conversation that is new, and its next turn."""

from __future__ import annotations

import json
import os
from itertools import count
from pathlib import Path
from typing import Any

from bench.load import payloads
from bench.micro.cases import Call, case, stream
from fastgate._core.restore import PREFIX, Restorer
from fastgate.guards.rule import load_scanners
from fastgate.guards.screen import Guards
from fastgate.snapshot import GuardRow, KeyRow

WHO = KeyRow(b"", "bench", "bench", "bench", "bench", "", {}, (), 0)

MARK = b"00000000"
"""Stands in a body where each call puts a number of its own, so that one block of it is new."""


def all_guards(folder: Path) -> Guards:
    rows = [GuardRow(name, "log") for name in load_scanners()]
    return Guards(rows, b"p" * 32, folder)


def small() -> bytes:
    text = f"Please rename the function in this file and run its tests again. {MARK.decode()}"
    return json.dumps({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": text}]}).encode()


def conversation() -> bytes:
    """The long session of the load suite, and one more question."""
    body = json.loads(payloads.large(stream=False))
    body["messages"].append({"role": "user", "content": f"and now? {MARK.decode()}"})
    return json.dumps(body).encode()


def read_files() -> bytes:
    """As much of the standard library as the long session has, each file as Read shows it. What the load suite sends is
    of few words, so no rule takes a closer look at it; here a few hundred do."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": f"read these {MARK.decode()}"}]
    left = payloads.LARGE_BYTES
    for number, path in enumerate(sorted(Path(os.__file__).parent.glob("[a-z]*.py"))):
        lines = path.read_text().splitlines()
        shown = "".join(f"{at:6d}\t{line}\n" for at, line in enumerate(lines, 1))[:left]
        use = {"type": "tool_use", "id": f"toolu_{number}", "name": "Read", "input": {"file_path": str(path)}}
        result = {"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": shown}
        messages += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
        left -= len(shown)
        if not left:
            break
    return json.dumps({"model": "m", "max_tokens": 9, "messages": messages}).encode()


def numbered(body: bytes) -> Call:
    """Gives the body with another number each time."""
    head, _, tail = body.rpartition(MARK)
    count = [0]

    def next_body() -> bytes:
        count[0] += 1
        return b"%b%08d%b" % (head, count[0], tail)

    return next_body


@case("guards", "small chat, new text, all families")
def _(folder: Path) -> Call:
    guards, bodies = all_guards(folder), numbered(small())
    return lambda: guards.screen(bodies(), WHO, 0)


def for_another(guards: Guards, body: bytes) -> Call:
    """Of another user each time, as what was judged of one says nothing of another's."""
    number = count()

    def call() -> object:
        who = KeyRow(b"%d" % next(number), "bench", f"user{next(number)}", "bench", "bench", "", {}, (), 0)
        return guards.screen(body, who, 0)

    return call


@case("guards", "730 KB, all of it new, all families")
def _(folder: Path) -> Call:
    return for_another(all_guards(folder), conversation())


@case("guards", "730 KB of the standard library, all of it new, all families")
def _(folder: Path) -> Call:
    return for_another(all_guards(folder), read_files())


@case("guards", "730 KB, next turn, all families")
def _(folder: Path) -> Call:
    guards, bodies = all_guards(folder), numbered(conversation())
    return lambda: guards.screen(bodies(), WHO, 0)


@case("restore", "16 deltas without a placeholder")
def _(folder: Path) -> Call:
    restorer, answer = Restorer.of({PREFIX + b"a" * 20: b"secret"}), stream(16)
    return lambda: restorer.feed(answer)
