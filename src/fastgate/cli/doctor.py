"""`fastgate doctor`: what is wrong with this installation and how to mend it, and what runs. Changes nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fastgate.cli import output
from fastgate.cli.control import RemoteControl
from fastgate.cli.failures import Failure
from fastgate.cli.instance import STATE_NAME, config_path, lenient_environ, read_run, state_of
from fastgate.cli.options import as_json, command

if TYPE_CHECKING:
    from fastgate.control.findings import Finding
    from fastgate.runinfo import RunInfo

STYLES = {"ok": "green", "warning": "yellow", "error": "red"}
EXIT_ERRORS = 1


@command("doctor")
@click.option("--probe", is_flag=True, help="Also connect to each endpoint, without a key and without cost.")
def doctor(probe: bool) -> None:
    """Explain what is wrong with this installation, and how to mend it.

    Looks for the usual mistakes of a set-up and names the running event loop, the number of workers and the limits.
    Exit code 1 when something is an error. Nothing leaves this machine without --probe.
    """
    from fastgate.control.diagnose import diagnose

    config, running = subject()
    # A running gateway has its provider keys in its own environment; this shell need not have them.
    environ = lenient_environ(config) if config is not None and running is not None else os.environ
    found = diagnose(config, environ, probe=probe)
    good = all(finding.severity != "error" for finding in found)
    status = asked(running)
    if as_json():
        items = [finding_json(finding) for finding in found]
        output.print_json({"ok": good, "items": items, "next": None, "status": status})
    else:
        for finding in found:
            click.echo(f"{click.style(finding.severity.ljust(8), fg=STYLES[finding.severity])} {finding.message}")
            if finding.fix:
                click.echo(f"{'':8} fix: {finding.fix}")
        click.echo("\n" + verdict(found))
    if not good:
        click.get_current_context().exit(EXIT_ERRORS)


def subject() -> tuple[Path | None, RunInfo | None]:
    """The configuration to look at, and the instance that runs with it."""
    config = config_path()
    if config is None:
        running = read_run(Path(STATE_NAME))
        return (Path(running.config) if running is not None and running.config else None), running
    try:
        return config, read_run(state_of(config))
    except Failure:
        return config, None  # `diagnose` says what is wrong with the file


def asked(running: RunInfo | None) -> dict[str, Any] | None:
    """What the running instance says of itself; None when it does not answer, which is a finding already."""
    if running is None:
        return None
    try:
        return RemoteControl(running.control, running.admin_token, running.listen).status()
    except Failure:
        return None


def finding_json(finding: Finding) -> dict[str, str]:
    return {"id": finding.id, "severity": finding.severity, "message": finding.message, "fix": finding.fix}


def verdict(found: list[Finding]) -> str:
    """How many of each, in one line."""
    errors = sum(finding.severity == "error" for finding in found)
    warnings = sum(finding.severity == "warning" for finding in found)
    if not errors and not warnings:
        return "Nothing is wrong."
    counts = [(errors, "error"), (warnings, "warning")]
    return ", ".join(f"{count} {name}{'s' * (count != 1)}" for count, name in counts if count) + "."
