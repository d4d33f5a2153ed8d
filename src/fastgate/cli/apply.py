"""`fastgate apply`: bring the directory to what a directory.yaml declares. Keys made by command are left alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from fastgate.cli import output
from fastgate.cli.check import as_item, declared_directory
from fastgate.cli.control import open_control
from fastgate.cli.failures import BadInput
from fastgate.cli.instance import find_place
from fastgate.cli.options import as_json, command

EXIT_BAD_INPUT = 2
KINDS = {"org": "organisation", "cost_center": "cost centre"}
"""Where people's word differs from the field's."""


@command("apply")
@click.option("-f", "--file", "path", required=True, type=click.Path(path_type=Path), help="A directory.yaml.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
def apply(path: Path, dry_run: bool) -> None:
    """Make the declared organisations, cost centres, teams, users and keys equal to FILE.

    What an earlier file declared and this one does not is removed. Keys made with `fastgate keys create` stay. The file
    is checked as a whole first; ${VAR} comes from this shell's environment.
    """
    from fastgate.directory import load_directory
    from fastgate.tree import ConfigErrors

    if not path.is_file():
        raise BadInput(f"{path} is not a file.")
    try:
        load_directory(path, os.environ)
    except ConfigErrors as found:
        if as_json():
            items = [as_item(problem, "error") for problem in found.problems]
            output.print_json({"ok": False, "items": items, "next": None})
        else:
            for problem in found.problems:
                click.echo(f"{click.style('error', fg='red')}    {problem}")
        click.get_current_context().exit(EXIT_BAD_INPUT)
    with open_control("fastgate apply", writes=True) as control:
        applied = control.apply(path, dry_run)
    report(applied)
    if not dry_run:
        warn_of_another(path)


def warn_of_another(path: Path) -> None:
    """What is applied here lasts until the file that fastgate.yaml names is applied again."""
    config = find_place().config
    declared = declared_directory(config) if config is not None else None
    if declared is not None and declared.resolve() != path.resolve():
        click.echo(f"note: {config} names {declared}, which replaces this at the next start or reload.", err=True)


def report(applied: dict[str, Any]) -> None:
    """What changed, a line a change."""
    if as_json():
        output.print_json(applied)
        return
    for warning in applied["warnings"]:
        click.echo(f"{click.style('warning', fg='yellow')}  {warning['path']}: {warning['message']}")
    for change in applied["changes"]:
        click.echo(f"{change['action']:<8} {KINDS.get(change['kind'], change['kind'])} {change['id']}")
    count = len(applied["changes"])
    verb = "would change" if applied["dry_run"] else "changed"
    click.echo(f"{verb}: {count}" if count else "nothing to change")
