"""Thousands of calls a second, and what each answer's head said: wrk, which looks at every one with a script."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from bench.load import payloads
from bench.load.wrk import SCRIPT, Shot

COUNTING = Path(__file__).with_name("told.lua")

LONGEST_S = 600
"""More than any test takes; `end` comes before."""


class Flood:
    """Calls on some connections from now until `end`, which returns how often status and headers were what, and how
    many calls had no answer."""

    def __init__(self, folder: Path, url: str, key: str, headers: list[str], connections: int) -> None:
        shot = Shot.write(folder, "flood", payloads.body("small", False), payloads.HEADERS | {"x-api-key": key})
        command = ["wrk", "-t1", f"-c{connections}", f"-d{LONGEST_S}s", "-s", str(COUNTING), f"{url}/v1/messages", "--"]
        command += [str(shot.body), str(shot.headers), "POST", *headers]
        env = {**os.environ, "POST_LUA": str(SCRIPT)}
        self._wrk = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def end(self) -> tuple[Counter[tuple[str, ...]], int]:
        self._wrk.send_signal(signal.SIGINT)
        out, _ = self._wrk.communicate(timeout=60)
        assert self._wrk.returncode == 0, out
        seen: Counter[tuple[str, ...]] = Counter()
        lost = 0
        for line in out.splitlines():
            kind, _, rest = line.partition(" ")
            if kind == "TOLD":
                said = json.loads(rest)
                seen[tuple(said["said"])] += said["times"]
            elif kind == "LOST":
                lost = int(rest)
        return seen, lost


def needs_tools() -> None:
    """Skips where wrk or nginx is missing."""
    for tool in ("wrk", "nginx"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed (make peers)")
