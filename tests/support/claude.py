"""The real Claude Code, pinned, run without a terminal in a home and a project of its own.

The environment holds what is written here and nothing else, so that no setting or credential of the machine leaks in.
"""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

PEERS = Path(__file__).parents[2] / ".peers"

RUN_S = 90.0
"""A run takes about a second; a machine that does much else takes longer."""


def claude_binary() -> Path:
    """The native binary that `make peers` installs; skips the test where it is missing."""
    found = sorted(PEERS.glob("node_modules/@anthropic-ai/claude-code-linux-*/claude"))
    if not found:
        pytest.skip("Claude Code is not installed (make peers)")
    return found[0]


@dataclass
class Run:
    """What one `claude -p` did."""

    code: int
    out: str
    err: str
    seconds: float

    def events(self) -> list[dict[str, Any]]:
        """The lines of `--output-format stream-json`."""
        return [json.loads(line) for line in self.out.splitlines() if line.startswith("{")]


@dataclass
class Claude:
    """One developer's machine: `home`, `project`, where to go and with what credential."""

    directory: Path
    base_url: str
    credential: dict[str, str]
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.binary = claude_binary()
        self.home, self.project = self.directory / "home", self.directory / "project"
        self.home.mkdir(parents=True, exist_ok=True)
        self.project.mkdir(exist_ok=True)

    def run(self, prompt: str, *options: str, **env: str) -> Run:
        """`claude -p PROMPT`; permission prompts are skipped unless an option says otherwise."""
        if "--permission-mode" not in options:
            options = (*options, "--dangerously-skip-permissions")
        begun = time.monotonic()
        done = subprocess.run(
            [self.binary, "-p", prompt, *options],
            cwd=self.project,
            env=self.environment(**env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RUN_S,
            check=False,
        )
        return Run(done.returncode, done.stdout.strip(), done.stderr.strip(), time.monotonic() - begun)

    def environment(self, **env: str) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "PATH": "/usr/bin:/bin",
            "TERM": "dumb",
            "IS_SANDBOX": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "ANTHROPIC_BASE_URL": self.base_url,
            **self.credential,
            **self.env,
            **env,
        }
