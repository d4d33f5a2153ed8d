"""One run of wrk: the same POST over and over for some seconds, and what came of it."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).with_name("post.lua")
TIMEOUT_S = 30
"""Longest wait for one answer; wrk's own 2 s would count a slow large body as an error."""


@dataclass(frozen=True)
class Shot:
    """What is sent: body and headers as files that wrk reads."""

    body: Path
    headers: Path

    @classmethod
    def write(cls, folder: Path, name: str, body: bytes, headers: dict[str, str]) -> Shot:
        shot = cls(folder / f"{name}.json", folder / f"{name}.headers")
        shot.body.write_bytes(body)
        shot.headers.write_text("".join(f"{name}: {value}\n" for name, value in headers.items()))
        return shot


@dataclass(frozen=True)
class Sample:
    """One run. `error_kinds` counts answers of status 400 and up, and connections that failed or ran out of time."""

    requests: int
    seconds: float
    bytes: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float
    error_kinds: dict[str, int]

    @property
    def errors(self) -> int:
        return sum(self.error_kinds.values())

    @property
    def requests_per_s(self) -> float:
        return self.requests / self.seconds


def run(url: str, shot: Shot, connections: int, seconds: float, threads: int = 1, method: str = "POST") -> Sample:
    """Drives `url` for whole seconds, at least one. RuntimeError with wrk's own words when it cannot."""
    command = ["wrk", f"-t{min(threads, connections)}", f"-c{connections}", f"-d{max(1, round(seconds))}s"]
    command += [f"--timeout={TIMEOUT_S}s", "-s", str(SCRIPT), url, "--", str(shot.body), str(shot.headers), method]
    out = subprocess.run(command, check=False, capture_output=True, text=True, timeout=seconds + 3 * TIMEOUT_S)
    line = next((line for line in out.stdout.splitlines() if line.startswith("RESULT ")), None)
    if out.returncode != 0 or line is None:
        raise RuntimeError(f"wrk failed: {out.stdout.strip()} {out.stderr.strip()}")
    return _sample(json.loads(line.removeprefix("RESULT ")))


def _sample(found: dict[str, Any]) -> Sample:
    return Sample(
        requests=found["requests"],
        seconds=found["duration_us"] / 1e6,
        bytes=found["bytes"],
        p50_ms=found["p50_us"] / 1e3,
        p90_ms=found["p90_us"] / 1e3,
        p99_ms=found["p99_us"] / 1e3,
        max_ms=found["max_us"] / 1e3,
        error_kinds={kind: count for kind, count in found["errors"].items() if count},
    )
