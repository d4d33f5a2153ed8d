"""`fastgate keys`: virtual keys. A secret is printed once, where it is made, and is never read back."""

from __future__ import annotations

import sys
from typing import Any

import click

from fastgate.cli import output
from fastgate.cli.control import open_control
from fastgate.cli.demo_world import exports
from fastgate.cli.failures import BadInput
from fastgate.cli.moments import Duration, Moment
from fastgate.cli.options import as_json, group
from fastgate.cli.output import Column

PAGE = 100

COLUMNS = [
    Column("id", "id"),
    Column("user", "user"),
    Column("team", "team"),
    Column("cost centre", "cost_center", rank=1),
    Column("state", "state"),
    Column("models", lambda row: row["models"] or "all", prose=True),
    Column("expires", output.moment("expires")),
    Column("origin", "origin", rank=3),
    Column("secrets", lambda row: [secret["hint"] + "…" for secret in row["secrets"] if secret["hint"]], rank=2),
]

FORMS = {
    "wellformed": "a well-formed fastgate key; whether it is known here, `fastgate keys list` says",
    "typo": "meant to be a fastgate key, but mistyped or cut: its checksum is wrong",
    "foreign": "not in the form of a fastgate key; only a declared key can look like this",
}


@group("keys")
def keys() -> None:
    """Create, list, show, rotate and revoke virtual keys."""


@keys.command("create")
@click.option("--user", help="Whose key it is.")
@click.option("--team", help="The team of a service key, which belongs to no person.")
@click.option("--id", "key_id", default="", help="Its id in reports; not secret.  [default: one is made]")
@click.option("--model", "models", multiple=True, help="Glob of models it may use; may be repeated.  [default: all]")
@click.option("--tag", "tags", multiple=True, metavar="NAME=VALUE", help="Tag of all its calls; may be repeated.")
@click.option("--open-tag", "open_tags", multiple=True, metavar="NAME", help="Tag that its client may set itself.")
@click.option(
    "--cache-overrides/--no-cache-overrides", default=True, help="Whether its client may use the cache's headers."
)
@click.option("--expires", type=Moment(ahead=True), help="When it stops working: 90d, 2027-01-01 or RFC 3339.")
@click.option("--cost-center", help="Where its spend is booked.  [default: its user's or team's]")
@click.option("--requests-per-minute", type=int, help="Calls let in a minute; 0: any number.  [default: of limits]")
@click.option("--tokens-per-minute", type=int, help="Tokens a minute; 0: any number.  [default: of limits]")
@click.option("--parallel-calls", type=int, help="Calls in flight; 0: any number.  [default: of limits]")
def create(
    user: str | None,
    team: str | None,
    key_id: str,
    models: tuple[str, ...],
    tags: tuple[str, ...],
    open_tags: tuple[str, ...],
    cache_overrides: bool,
    expires: str | None,
    cost_center: str | None,
    **rates: int | None,
) -> None:
    """Create a key for a user, or for a team (a service key). The secret is shown this once."""
    if (user is None) == (team is None):
        raise BadInput("a key needs --user, or --team for a service key.")
    body = {
        "id": key_id,
        "user": user,
        "team": team,
        "models": list(models),
        "tags": pairs(tags),
        "open_tags": list(open_tags),
        "cache_overrides": cache_overrides,
        "expires": expires,
        "cost_center": cost_center,
        **rates,
    }
    with open_control("fastgate keys create", writes=True) as control:
        issued(control.keys_create(body), control.listen)


def pairs(words: tuple[str, ...]) -> dict[str, str]:
    """`NAME=VALUE` words as a mapping."""
    found = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise BadInput(f"--tag {word!r} is not NAME=VALUE.")
        found[name] = value
    return found


def issued(key: dict[str, Any], listen: str) -> None:
    """A new secret and how to use it; nowhere else is it printed."""
    if as_json():
        output.print_json(key)
        return
    click.echo(f"key {click.style(key['id'], bold=True)}, shown this once:\n\n  {key['secret']}\n")
    click.echo("for Claude Code:\n")
    for line in exports(listen, key["secret"]):
        click.echo(f"  {line}")


@keys.command("list")
@click.option("--cursor", default="", help="Where the previous page ended.")
@click.option("--limit", default=PAGE, show_default=True, type=click.IntRange(1, 1000), help="Keys on one page.")
def list_(cursor: str, limit: int) -> None:
    """List keys with their owner, state and allowed models."""
    with open_control("fastgate keys list") as control:
        page = control.keys_list(cursor, limit)
    output.listing(page["items"], COLUMNS, page["next"], empty="no keys yet: fastgate keys create --user USER")


@keys.command("show")
@click.argument("key_id", metavar="KEY")
def show(key_id: str) -> None:
    """Show one key, its tags, and how each of its secrets begins and when it ends."""
    with open_control("fastgate keys show") as control:
        output.record(control.keys_show(key_id))


@keys.command("rotate")
@click.argument("key_id", metavar="KEY")
@click.option(
    "--overlap", type=Duration(), default="1d", show_default=True, help="How long the old secret still works."
)
def rotate(key_id: str, overlap: int) -> None:
    """Give a key a new secret, shown this once. The old one works on for the overlap: 0s ends it at once."""
    with open_control("fastgate keys rotate", writes=True) as control:
        issued(control.keys_rotate(key_id, overlap), control.listen)


@keys.command("revoke")
@click.argument("key_id", metavar="KEY")
def revoke(key_id: str) -> None:
    """Revoke a key at once and for good. Running workers refuse it within a second."""
    with open_control("fastgate keys revoke", writes=True) as control:
        key = control.keys_revoke(key_id)
    if as_json():
        output.print_json(key)
    else:
        click.echo(f"key {key['id']} is {key['state']}.")


@keys.command("verify")
@click.argument("secret", required=False)
def verify(secret: str | None) -> None:
    """Tell a mistyped key from a well-formed one, without asking anybody.

    Reads SECRET from standard input when it is not given, which keeps it out of the shell's history. Exit code 1 for a
    mistyped key.
    """
    from fastgate.keys import check_form

    form = check_form((secret if secret is not None else sys.stdin.readline()).strip())
    if as_json():
        output.print_json({"form": form, "meaning": FORMS[form]})
    else:
        click.echo(FORMS[form])
    if form == "typo":
        click.get_current_context().exit(1)
