"""The status line as Claude Code runs it: its own hook, its own environment, the developer's own figures."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Route
from tests.support.admin import until
from tests.support.claude import Claude
from tests.support.terminal import terminal

pytestmark = pytest.mark.e2e


def test_claude_code_shows_the_developers_own_budget(through: Route, tmp_path: Path) -> None:
    gateway = through.gateway
    assert gateway is not None
    set_ = (
        "budgets",
        "set",
        "alice-total",
        "--user",
        "alice",
        "--period",
        "total",
        "--usd",
        "30",
        "--stage",
        "1=pause",
    )
    assert gateway.cli(*set_).code == 0
    lines = tmp_path / "lines"
    command = f"{Path(sys.executable).parent}/fastgate statusline | tee -a {lines}"
    claude = Claude(tmp_path, through.url, {"ANTHROPIC_AUTH_TOKEN": through.key}, {"NO_COLOR": "1"})
    with terminal(claude, {"statusLine": {"type": "command", "command": command}}) as screen:
        screen.wait_for("$30.00 left of $30.00 (alice-total)")
        screen.type("say hi")
        screen.wait_for("scripted reply")
        # The screen is drawn anew only where it changes, so the next line is read where the command printed it.
        until(lambda: left(lines) < 30, 10, "a later line, with less left")
    assert gateway.cli("budgets", "remove", "alice-total").code == 0


def left(lines: Path) -> float:
    """Dollars left as the newest line has it."""
    newest = lines.read_text().splitlines()[-1]
    assert newest.endswith("left of $30.00 (alice-total)")
    return float(newest.removeprefix("$").partition(" ")[0])
