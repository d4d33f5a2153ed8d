"""`fastgate statusline` with options: help, and the same as JSON. Without any, cli.main goes the quick way."""

from __future__ import annotations

import os

from fastgate.cli import output, statusline
from fastgate.cli.failures import Unreachable
from fastgate.cli.options import as_json, command


@command("statusline")
def status() -> None:
    """Print your own remaining budget in one line, for Claude Code's status line.

    Uses ANTHROPIC_BASE_URL and ANTHROPIC_AUTH_TOKEN (or ANTHROPIC_API_KEY), as Claude Code does, and reads its JSON
    from standard input where there is some. In ~/.claude/settings.json:

    \b
      {"statusLine": {"type": "command", "command": "fastgate statusline"}}

    With --json it prints everything that the gateway says of your key and its budgets.
    """
    if not as_json():
        statusline.main()
        return
    try:
        output.print_json(statusline.ask(os.environ))
    except statusline.NoAnswerError as error:
        raise Unreachable(f"{error}.") from None
