"""Claude Code's model picker: its own discovery request, answered with what the key may use."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.claude import Claude
from tests.support.gateway import serving
from tests.support.sim import SimProcess
from tests.support.terminal import COLUMNS, ROWS, terminal

pytestmark = pytest.mark.e2e

MORE = """\
  - name: named
    kind: compatible
    base_url: "{url}"
    api_key: other
    models_only: true
    models: {{claude-gw-fast: claude-haiku-5-5, claude-gw-large: claude-opus-5-5}}
"""


def test_the_picker_lists_what_the_key_may_use(upstream: SimProcess, tmp_path: Path) -> None:
    with serving(tmp_path / "gateway", upstream.url, more=MORE.format(url=upstream.url)) as gateway:
        made = gateway.cli("keys", "create", "--user", "alice", "--model", "claude-gw-fast", "--json")
        assert made.code == 0, made.err
        secret = made.json["secret"]
        enabled = {"CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1"}
        claude = Claude(tmp_path, gateway.url, {"ANTHROPIC_AUTH_TOKEN": secret}, enabled)
        with terminal(claude, {}) as screen:
            screen.wait_for("auto mode on")  # at its prompt
            screen.type("/model")
            screen.wait_for("Esc to cancel")
            screen.resize(ROWS + 1, COLUMNS + 7)  # it draws all of it anew, not just the letters that changed
            screen.wait_for("Claude Gw Fast")
            shown = screen.wait_for("From gateway")
        assert "ClaudeGwFast" in shown
        assert "ClaudeGwLarge" not in shown, "the key may not use it"
        assert shown.count("Fromgateway") == 1
