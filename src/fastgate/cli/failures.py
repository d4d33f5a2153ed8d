"""How a command ends when it does not succeed: one exception an exit code, printed as text or as JSON.

Exit codes: 0 ok, 1 refused or not found, 2 usage or bad input, 3 cannot reach the gateway.
"""

from __future__ import annotations

import json
import sys
from typing import IO, Any

import click

JSON_META = "fastgate.json"
"""Key in click's shared context metadata: true once `--json` was seen at any level."""


def wants_json() -> bool:
    """Whether this invocation asked for JSON. Falls back on the raw arguments while click is still parsing."""
    ctx = click.get_current_context(silent=True)
    if ctx is not None and ctx.meta.get(JSON_META):
        return True
    return "--json" in sys.argv[1:]


def print_failure(message: str, exit_code: int, fix: str = "", as_json: bool = False) -> None:
    """One failure on standard error."""
    if as_json:
        body = {"error": {"exit_code": exit_code, "message": message, **({"fix": fix} if fix else {})}}
        click.echo(json.dumps(body, ensure_ascii=False), err=True)
        return
    click.echo(f"fastgate: {message}", err=True)
    if fix:
        click.echo(f"  fix: {fix}", err=True)


class Failure(click.ClickException):
    """A command that ends early. `fix` says what to do about it, where that is known."""

    exit_code = 1

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.fix = fix
        self.as_json = wants_json()

    def show(self, file: IO[Any] | None = None) -> None:
        print_failure(self.message, self.exit_code, self.fix, self.as_json)


class Refused(Failure):
    """The gateway said no, or what was asked for does not exist."""

    exit_code = 1


class BadInput(Failure):
    """The command line or a file it names is wrong."""

    exit_code = 2


class Unreachable(Failure):
    """No gateway answers where one should."""

    exit_code = 3
