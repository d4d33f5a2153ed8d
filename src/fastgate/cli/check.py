"""`fastgate check`: everything that is wrong with a configuration and its directory, at once. Starts nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fastgate.cli import output
from fastgate.cli.instance import required_config
from fastgate.cli.options import as_json, command

if TYPE_CHECKING:
    from fastgate.tree import Problem

EXIT_BAD_INPUT = 2


def problems_of(config: Path) -> tuple[list[Problem], list[Problem]]:
    """Errors and warnings of a configuration file and of the directory that it names."""
    from fastgate.config import load_config
    from fastgate.config_alerts import unheard
    from fastgate.directory import load_directory
    from fastgate.idle import idle_in
    from fastgate.tree import ConfigErrors

    errors: list[Problem] = []
    warnings: list[Problem] = []
    directory = declared_directory(config)
    loaded = None
    try:
        loaded, more = load_config(config, os.environ)
        warnings += more
    except ConfigErrors as found:
        errors += found.problems
    if directory is not None:
        try:
            declared, more = load_directory(directory, os.environ)
            warnings += more
            if loaded is not None:
                named = [(center.id, center.alerts) for center in declared.cost_centers]
                warnings += unheard(loaded.alerts, named, str(directory))
                warnings += idle_in(declared, loaded)
        except ConfigErrors as found:
            errors += found.problems
    return errors, warnings


def declared_directory(config: Path) -> Path | None:
    """The directory.yaml that a configuration names, found even when the rest of the file is wrong."""
    from fastgate.refs import RefError, resolve_refs
    from fastgate.tree import ConfigErrors, parse

    try:
        root, _ = parse(config.read_bytes(), str(config))
        entry = root.entries.get("directory")
        if entry is None or entry[1].kind != "scalar" or entry[1].is_null:
            return None
        return config.absolute().parent / Path(resolve_refs(entry[1].text, os.environ)).expanduser()
    except (OSError, ConfigErrors, RefError):
        return None


@command("check")
def check() -> None:
    """Check the configuration and its directory.yaml.

    Prints every error and warning at once, each with its line and its path in the file. Exit code 2 when there are
    errors; warnings alone are 0.
    """
    config = required_config()
    errors, warnings = problems_of(config)
    if as_json():
        items = [as_item(problem, "error") for problem in errors]
        items += [as_item(problem, "warning") for problem in warnings]
        output.print_json({"ok": not errors, "items": items, "next": None})
    else:
        for problem in errors:
            click.echo(f"{click.style('error', fg='red')}    {problem}")
        for problem in warnings:
            click.echo(f"{click.style('warning', fg='yellow')}  {problem}")
        click.echo(verdict(config, len(errors), len(warnings)))
    if errors:
        click.get_current_context().exit(EXIT_BAD_INPUT)


def as_item(problem: Problem, severity: str) -> dict[str, object]:
    """A problem as JSON shows it."""
    return {
        "severity": severity,
        "file": problem.file,
        "line": problem.line,
        "path": problem.path,
        "message": problem.message,
    }


def verdict(config: Path, errors: int, warnings: int) -> str:
    """The last line: whether a gateway would start with this."""
    if errors:
        return f"{config}: {errors} error{'s' * (errors != 1)}. A running gateway keeps its configuration."
    return f"{config} is good." + (f" {warnings} warning{'s' * (warnings != 1)}." if warnings else "")
