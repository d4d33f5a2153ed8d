"""The status line as Claude Code runs it: its own hook, its own environment, the developer's own figures."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Route
from tests.support.claude import Claude
from tests.support.terminal import terminal

pytestmark = pytest.mark.e2e


def test_claude_code_shows_the_developers_own_line(through: Route, tmp_path: Path) -> None:
    command = f"{Path(sys.executable).parent}/fastgate statusline"
    claude = Claude(tmp_path, through.url, {"ANTHROPIC_AUTH_TOKEN": through.key}, {"NO_COLOR": "1"})
    with terminal(claude, {"statusLine": {"type": "command", "command": command}}) as screen:
        screen.wait_for("alice: no budget applies")
