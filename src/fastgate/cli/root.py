"""The command tree: names and one-line summaries here, the commands in their own files, imported when used.

A command of a feature that this version does not have is not in the table, and so says that it does not exist yet.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any

import click

import fastgate
from fastgate.cli.failures import Failure, print_failure, wants_json
from fastgate.cli.options import Group

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("fastgate.cli.init:init", "Write a commented fastgate.yaml and directory.yaml."),
    "demo": ("fastgate.cli.demo:demo", "Run a gateway with scripted providers, teams and keys; --tour shows it."),
    "serve": ("fastgate.cli.serve:serve", "Run the gateway in the foreground."),
    "check": ("fastgate.cli.check:check", "Check the configuration; prints every error with its path."),
    "doctor": ("fastgate.cli.doctor:doctor", "Explain what is wrong with this installation, and how to mend it."),
    "apply": ("fastgate.cli.apply:apply", "Bring the directory to what a directory.yaml declares."),
    "keys": ("fastgate.cli.keys:keys", "Create, list, show, rotate and revoke virtual keys."),
    "budgets": ("fastgate.cli.budgets:budgets", "Set, list, show, raise and remove budgets."),
    "pause": ("fastgate.cli.pause:pause", "Refuse every new call of an org, team, user, key or tag."),
    "resume": ("fastgate.cli.pause:resume", "Take calls of what was paused again."),
    "pauses": ("fastgate.cli.pause:pauses", "List what is paused by hand."),
    "cache": ("fastgate.cli.cache:cache", "See what the cache saves, and forget answers."),
    "calls": ("fastgate.cli.calls:calls", "List and show finished calls."),
    "route": ("fastgate.cli.route:route", "Explain which endpoint a call went to, or would go to."),
    "spend": ("fastgate.cli.spend:spend", "Sum the cost of finished calls."),
    "alerts": ("fastgate.cli.alerts:alerts", "List alerts and their deliveries, test channels."),
    "prices": ("fastgate.cli.prices:prices", "Show the price of each model, and check what is used against it."),
    "statusline": ("fastgate.cli.statusline_command:status", "Print your own remaining budget in one line."),
    "guards": ("fastgate.cli.guards:guards", "Show guards, what they find in a file, what they did to a call."),
    "audit": ("fastgate.cli.audit:audit", "List who changed what; find out whether a model was shown a file."),
    "simulate": ("fastgate.cli.simulate:simulate", "Run the scripted upstream alone."),
    "top": ("fastgate.cli.top:top", "Watch calls and spend live."),
}


class Root(Group):
    """The top of the command tree."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry[0].partition(":")
        found = getattr(importlib.import_module(module), attribute)
        assert isinstance(found, click.Command)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Written from the table, because click would import every command to ask for its summary."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run one invocation. Failures under `--json` are printed as JSON too, whoever raised them."""
        words = list(args) if args is not None else sys.argv[1:]
        try:
            code = super().main(words, prog_name, complete_var, standalone_mode=False, **extra)
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            code = error.exit_code
        except click.ClickException as error:
            report(error, "--json" in words or wants_json())
            code = error.exit_code
        except (click.Abort, KeyboardInterrupt):
            click.echo("fastgate: interrupted", err=True)
            code = 1
        if standalone_mode:
            sys.exit(code if isinstance(code, int) else 0)
        return code


def report(error: click.ClickException, as_json: bool) -> None:
    """Print a failure: click's own usage errors with their usage line, ours with their fix."""
    if isinstance(error, Failure):
        print_failure(error.message, error.exit_code, error.fix, as_json)
    elif as_json:
        print_failure(error.format_message(), error.exit_code, as_json=True)
    else:
        error.show()


@click.group("fastgate", cls=Root, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(fastgate.__version__, "-V", "--version", message="fastgate %(version)s")
def root() -> None:
    """An AI gateway for Claude Code cost management.

    Developers point ANTHROPIC_BASE_URL at it and run `claude` as before; the gateway identifies, prices and records
    every call. Start with `fastgate demo`, or `fastgate init` for your own configuration.
    """
