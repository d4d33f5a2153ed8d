"""The command line as tests run it: in this process through click's runner, or as the real process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from fastgate.cli.root import root

ROOT = Path(__file__).resolve().parents[2]
PROCESS_S = 60.0
"""No command that a test runs as a process takes a tenth of this."""

FOREIGN = ("FASTGATE_CONFIG", "FASTGATE_STATE", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN")
"""What the surroundings may set and a test must not inherit."""


@dataclass(frozen=True)
class Done:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.out, f"nothing on standard output, exit code {self.code}: {self.err}"
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        """The failure that `--json` puts on standard error."""
        return json.loads(self.err)["error"]


def invoke(*words: str, env: Mapping[str, str | None] | None = None) -> Done:
    """Run a command in this process, in the current folder."""
    clean: dict[str, str | None] = dict.fromkeys(FOREIGN)
    result = CliRunner().invoke(root, list(words), env={**clean, **(env or {})}, prog_name="fastgate")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, result.stdout, result.stderr)


def environment(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a command's process gets: this tree's package, nothing of the surroundings that would change it."""
    clean = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    return {**clean, "PYTHONPATH": str(ROOT / "src"), **(env or {})}


def fastgate(*words: str, cwd: Path, env: Mapping[str, str] | None = None) -> Done:
    """Run the real command as a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "fastgate.cli", *words],
        cwd=cwd,
        env=environment(env),
        capture_output=True,
        text=True,
        timeout=PROCESS_S,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)
