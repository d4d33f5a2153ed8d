"""The options that every command takes (`--json`, `-c FILE`), before or after its arguments, and what they select.

Each level of the command tree accepts them; they land in click's metadata, which all levels of one invocation share.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

import fastgate
from fastgate.cli.failures import JSON_META, BadInput
from fastgate.similar import nearest

CONFIG_META = "fastgate.config"


def _note_json(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        ctx.meta[JSON_META] = True


def _note_config(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.meta[CONFIG_META] = Path(value)


def shared_options() -> list[click.Parameter]:
    """Fresh parameters: click binds a parameter to the command that holds it."""
    return [
        click.Option(
            ["-c", "--config"],
            metavar="FILE",
            expose_value=False,
            callback=_note_config,
            help="Configuration file.  [default: ./fastgate.yaml, $FASTGATE_CONFIG, the running instance]",
        ),
        click.Option(
            ["--json"], is_flag=True, expose_value=False, callback=_note_json, help="Print JSON instead of a table."
        ),
    ]


class Command(click.Command):
    """A command that takes the shared options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(shared_options())


class Group(click.Group):
    """A group that takes the shared options and whose commands do."""

    command_class = Command
    group_class = type
    """Groups within a group are of its own class."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(shared_options())

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """An unknown command may be one of a later version, or a typing error: say both."""
        known = self.list_commands(ctx)
        if args and not args[0].startswith("-") and args[0] not in known:
            asked = f"{ctx.command_path} {args[0]}"
            near = nearest(args[0], known)
            hint = f" Did you mean `{ctx.command_path} {near}`?" if near else ""
            raise BadInput(
                f"version {fastgate.__version__} does not have `{asked}` yet.{hint}",
                fix=f"`{ctx.command_path} --help` lists what it has",
            )
        return super().resolve_command(ctx, args)


def command(name: str, **attrs: Any) -> Callable[[Callable[..., Any]], Command]:
    """Declare a command that takes the shared options."""
    return click.command(name, cls=Command, **attrs)


def group(name: str, **attrs: Any) -> Callable[[Callable[..., Any]], Group]:
    """Declare a group of commands that take the shared options."""
    return click.group(name, cls=Group, **attrs)


def as_json() -> bool:
    """Whether the invocation asked for JSON."""
    return bool(click.get_current_context().meta.get(JSON_META))


def chosen_config() -> Path | None:
    """The file given with `-c`, if any."""
    path = click.get_current_context().meta.get(CONFIG_META)
    return path if isinstance(path, Path) else None
