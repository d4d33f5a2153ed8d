"""The filters that `calls list` and `spend` share, named as the record names its fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from fastgate.cli.failures import BadInput
from fastgate.cli.moments import Moment

FIELDS = {
    "org": "Only of this organisation.",
    "team": "Only of this team.",
    "user": "Only of this user.",
    "key": "Only made with this key.",
    "cost-center": "Only booked to this cost centre.",
    "model": "Only answered by this model.",
    "endpoint": "Only answered by this endpoint.",
    "agent": "Only of this sub-agent.",
    "session": "Only of this Claude Code session.",
    "outcome": "Only of this outcome: ok, upstream_error, client_gone, refused, cancelled or recovered.",
}


def call_filters(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the filters to a command."""
    function = click.option("--until", type=Moment(), help="Only begun before: 1h (ago), a date or RFC 3339.")(function)
    function = click.option("--since", type=Moment(), help="Only begun since: 7d (ago), a date or RFC 3339.")(function)
    function = click.option("--tag", multiple=True, metavar="NAME=VALUE", help="Only with this tag.")(function)
    for name, text in reversed(FIELDS.items()):
        function = click.option(f"--{name}", default="", help=text)(function)
    return function


def chosen(filters: Mapping[str, Any]) -> dict[str, Any]:
    """The filters that were given, tags as `name=value`."""
    for tag in filters.get("tag", ()):
        if "=" not in tag:
            raise BadInput(f"--tag {tag!r} is not NAME=VALUE.")
    return {name: value for name, value in filters.items() if value}
