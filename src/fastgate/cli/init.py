"""`fastgate init`: a commented configuration to start from. Writes files, starts nothing, never overwrites unasked."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import click

from fastgate.cli import output
from fastgate.cli.failures import BadInput, Refused
from fastgate.cli.options import as_json, command

FILES = ("fastgate.yaml", "directory.yaml")


def template(name: str) -> str:
    """The text of a packaged template."""
    return resources.files("fastgate.cli").joinpath("templates", name).read_text(encoding="utf-8")


def next_steps(directory: Path) -> list[str]:
    """What to type after `init`, in order."""
    steps = [f"cd {directory}"] if directory != Path(".") else []
    return [
        *steps,
        "export ANTHROPIC_API_KEY=…          # the provider key; stays in the environment",
        "fastgate check                       # every mistake at once, each with its path",
        "fastgate serve                       # in the foreground; Ctrl-C drains",
        "fastgate keys create --user alice    # in another terminal; prints the key once, and Claude Code's exports",
    ]


@command("init")
@click.argument("directory", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Overwrite files that exist.")
def init(directory: Path, force: bool) -> None:
    """Write a commented fastgate.yaml and directory.yaml into DIRECTORY (default: here).

    No secret is written: the provider key is named as ${ANTHROPIC_API_KEY} and read from the environment.
    """
    present = [name for name in FILES if (directory / name).exists()]
    if present and not force:
        raise Refused(f"{directory / present[0]} exists already.", fix="name another directory, or add --force")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            (directory / name).write_text(template(name), encoding="utf-8")
    except OSError as error:
        raise BadInput(f"cannot write {directory}: {error.strerror}") from error
    if as_json():
        output.print_json({"written": [str(directory / name) for name in FILES]})
        return
    for name in FILES:
        click.echo(f"wrote {directory / name}")
    click.echo("\nnext:")
    for step in next_steps(directory):
        click.echo(f"  {step}")
