"""`fastgate cache`: what was answered from the cache and what that saved; forgetting answers."""

from __future__ import annotations

import click

from fastgate.cli import output
from fastgate.cli.control import open_control
from fastgate.cli.moments import Moment
from fastgate.cli.options import as_json, group
from fastgate.cli.output import Column

COLUMNS = [
    Column("org", "org"),
    Column("team", "team"),
    Column("namespace", "namespace"),
    Column("calls", "calls", "right"),
    Column("hit", "hit", "right"),
    Column("in flight", "hit_inflight", "right", rank=1),
    Column("reworded", "hit_semantic", "right", rank=1),
    Column("miss", "miss", "right", rank=1),
    Column("bypass", "bypass", "right", rank=2),
    Column("hit ratio", "hit_ratio", "right"),
    Column("saved $", "saved", "right"),
    Column("kept", "entries", "right", rank=3),
    Column("bytes", "bytes", "right", rank=3),
]


PAGE = 25

SESSION_COLUMNS = [
    Column("session", "session"),
    Column("agent", "agent", rank=1),
    Column("user", lambda row: row["user"] or row["key"]),
    Column("calls", "calls", "right"),
    Column("read", "read_ratio", "right"),
    Column("breaks", "breaks", "right"),
    Column("lost $", "lost", "right"),
    Column("marked", lambda row: str(row["placed"]) if row["placed"] else "", "right", rank=2),
    Column("last broken by", lambda row: " ".join(filter(None, (row["last_cause"], row["last_block"]))), prose=True),
]

TOTALS = ("questions", "compared", "agreed")


@group("cache")
def cache() -> None:
    """See what the cache saves, and forget answers."""


@cache.command("stats")
def stats() -> None:
    """Count what the cache answered, by org, team and namespace, what that saved, and what is kept."""
    with open_control("fastgate cache stats") as control:
        told = control.cache.stats()
    if as_json():
        output.print_json(told)
        return
    output.listing(told["items"], COLUMNS, empty="no calls")
    store = told["store"]
    if store is None:
        click.echo("nothing is cached: the configuration has no `cache:`")
        return
    kept = f"{store['entries']} answers, {store['bytes']} bytes in the {store['kind']} store"
    click.echo(f"{kept}; {store['evicted']} evicted, {store['damaged']} damaged and dropped")
    if store["set_aside"]:
        click.echo(f"the store could not be read and was begun anew, so often: {store['set_aside']}")
    questions, compared, agreed = (sum(row[name] for row in told["items"]) for name in TOTALS)
    if questions or compared:
        click.echo(f"{questions} questions remembered for rewordings; in shadow mode {agreed} of {compared} agreed")


@cache.command("sessions")
@click.option("--since", type=Moment(), help="Sessions with calls since: 7d (ago), a date or RFC 3339; a day ago.")
@click.option("--limit", default=PAGE, show_default=True, type=click.IntRange(1, 1000), help="Sessions shown.")
def sessions(since: str | None, limit: int) -> None:
    """Show what sessions read from the provider's prompt cache, and what breaks of it cost, the dearest first."""
    with open_control("fastgate cache sessions") as control:
        told = control.cache.sessions(since or "", limit)
    output.listing(told["items"], SESSION_COLUMNS, empty="no sessions")


@cache.command("purge")
@click.option("--key", default="", help="Answers to calls of this key.")
@click.option("--user", default="", help="Answers to calls of this user.")
@click.option("--team", default="", help="Answers to calls of this team.")
@click.option("--org", default="", help="Answers to calls of this org.")
@click.option("--namespace", default="", help="Answers kept under this name (x-fastgate-cache-namespace).")
@click.option("--model", default="", help="Answers of this model.")
@click.option("--before", type=Moment(), help="Answers to calls that began before: 1h (ago), 2027-01-01 or RFC 3339.")
@click.option("--all", "everything", is_flag=True, help="All of them.")
def purge(everything: bool, **named: str | None) -> None:
    """Forget answers that match every option given. What is being answered now and matches is not kept either."""
    new = {**named, "all": everything}
    with open_control("fastgate cache purge", writes=True) as control:
        told = control.cache.purge(new)
    if as_json():
        output.print_json(told)
    else:
        click.echo(f"{told['entries']} answers are forgotten.")
