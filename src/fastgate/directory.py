"""The structs of directory.yaml, every field documented, and `load_directory`, which checks all of it at once.

Owns what may be declared and how its parts refer to each other. Must not know how a directory is stored (stores/) nor
how it is compiled for the data plane (control/compile.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec

from fastgate import clock
from fastgate.budgets import COST_CENTER_TAG, EVERY, split_tag
from fastgate.bulk import burst
from fastgate.config_checks import NAME
from fastgate.directory_budgets import Budget, budget_faults
from fastgate.directory_checks import (
    MAX_PARALLEL,
    MAX_PER_MINUTE,
    Id,
    Models,
    TagName,
    Tags,
    moment_ns,
    moment_problem,
    secret_problem,
)
from fastgate.keys import check_form, sha256_hex_problem
from fastgate.refs import Secret
from fastgate.similar import hint
from fastgate.strict import BAD, Check, Range, Reading, read, read_file
from fastgate.tree import Problem

WARNINGS_SHOWN = 20
"""Warnings of one sort before the rest is only counted."""


class Org(msgspec.Struct, frozen=True, kw_only=True):
    """A customer or company: the outermost level."""

    id: Id
    """Unique among orgs; written into every record, so never reuse one."""
    name: str = ""
    """As people call it."""


class CostCenter(msgspec.Struct, frozen=True, kw_only=True):
    """Whom spend is booked to."""

    id: Id
    """Unique among cost centres; reports group by it first."""
    owner: str = ""
    """Who answers for it: an address or a name. An e-mail address hears of its budgets (`alerts.users`)."""
    alerts: tuple[Annotated[str, NAME], ...] = ()
    """Channels of fastgate.yaml that hear of its budgets; without any, and without an owner, the fallback does."""


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of how fast and how many at once, over all workers of one machine."""

    requests_per_minute: Annotated[int, Range(0, MAX_PER_MINUTE)] | None = None
    """Calls let in: a minute's worth at once, then steadily. 0: no limit."""
    tokens_per_minute: Annotated[int, Range(0, MAX_PER_MINUTE)] | None = None
    """Input, output and cache writes of finished calls; cache reads are not counted. 0: no limit."""
    parallel_calls: Annotated[int, Range(0, MAX_PARALLEL)] | None = None
    """Calls in flight at any time. 0: no limit."""


class Team(Rates, frozen=True, kw_only=True):
    """A group of users in one org."""

    id: Id
    """Unique among teams of all orgs."""
    org: Id
    """The org it belongs to."""
    name: str = ""
    """As people call it."""
    cost_center: Id | None = None
    """Where its spend is booked, unless a user or key says otherwise."""
    open_tags: tuple[TagName, ...] = ()
    """Tags that its members may set themselves, with `x-fastgate-tag-NAME`."""


class User(Rates, frozen=True, kw_only=True):
    """A person."""

    id: Id
    """Unique among users of all teams."""
    team: Id
    """The team they belong to."""
    name: str = ""
    """As people call them."""
    email: str = ""
    """Where notices go."""
    cost_center: Id | None = None
    """Where their spend is booked, unless a key says otherwise; else their team's."""


class Key(Rates, frozen=True, kw_only=True):
    """A virtual key: what a client authenticates with. Exactly one of `user` and `team`, and of the two secrets. Rate
    limits that it leaves out are those of `limits` in fastgate.yaml."""

    id: Id
    """Unique among keys. Not secret: it names the key in headers, records and reports."""
    user: Id | None = None
    """Whose key it is."""
    team: Id | None = None
    """The team of a service key (CI, bots) that belongs to no person."""
    secret: Annotated[Secret, Check(secret_problem)] | None = None
    """The secret, best as `${VAR}`: 24 or more visible ASCII characters, so a key of another gateway can be kept."""
    secret_sha256: Annotated[str, Check(sha256_hex_problem)] | None = None
    """SHA-256 of the secret in hexadecimal, where the secret itself should not pass through here."""
    tags: Tags = {}
    """Written into every record of its calls."""
    models: Models = ()
    """Globs of the models it may use; empty allows all."""
    expires: Annotated[datetime, Check(moment_problem)] | None = None
    """When it stops working: a date is that day's first instant in UTC; a time without a zone is UTC."""
    cost_center: Id | None = None
    """Where its spend is booked; else its user's, else its team's."""
    open_tags: tuple[TagName, ...] = ()
    """Tags that its client may set itself, besides those of its team."""
    cache_overrides: bool = True
    """Whether its client may use the cache's request headers: no-store, force-refresh, ttl, namespace. false: they are
    ignored, as `cache.overrides` of fastgate.yaml ignores them for all."""

    def expires_ns(self) -> int:
        """`expires` in UTC nanoseconds; 0 is never."""
        return 0 if self.expires is None else moment_ns(self.expires)


class Directory(msgspec.Struct, frozen=True, kw_only=True):
    """directory.yaml: who may call, and who pays. The declared counterpart of what the admin API edits."""

    orgs: tuple[Org, ...] = ()
    """Customers or companies."""
    cost_centers: tuple[CostCenter, ...] = ()
    """Whom spend is booked to."""
    teams: tuple[Team, ...] = ()
    """Groups of users."""
    users: tuple[User, ...] = ()
    """People."""
    keys: tuple[Key, ...] = ()
    """Virtual keys."""
    budgets: tuple[Budget, ...] = ()
    """What may be spent."""


def load_directory(path: Path, environ: Mapping[str, str]) -> tuple[Directory, list[Problem]]:
    """Read and check a directory.yaml: what it declares and what in it deserves a warning. Raises ConfigErrors."""
    with burst():
        return _checked(read_file(path, Directory, environ))


def parse_directory(data: bytes, environ: Mapping[str, str], file: str) -> tuple[Directory, list[Problem]]:
    """The same from memory; `file` names it in errors."""
    with burst():
        return _checked(read(data, Directory, environ, file))


def _checked(reading: Reading[Directory]) -> tuple[Directory, list[Problem]]:
    declared = reading.value
    orgs = _ids(reading, "orgs", declared.orgs)
    centers = _ids(reading, "cost_centers", declared.cost_centers)
    teams = _ids(reading, "teams", declared.teams)
    users = _ids(reading, "users", declared.users)
    _ids(reading, "keys", declared.keys)
    _refer(reading, "teams", declared.teams, "org", orgs, "orgs")
    _refer(reading, "users", declared.users, "team", teams, "teams")
    _refer(reading, "keys", declared.keys, "user", users, "users")
    _refer(reading, "keys", declared.keys, "team", teams, "teams")
    for section in ("teams", "users", "keys"):
        _refer(reading, section, getattr(declared, section), "cost_center", centers, "cost_centers")
    _check_keys(reading, declared.keys)
    _check_budgets(reading, {"org": orgs, "team": teams, "user": users, "cost_center": centers})
    directory = reading.done()
    return directory, list(_warnings(reading, directory))


def _items(items: Sequence[Any]) -> Iterator[tuple[int, Any]]:
    return ((index, item) for index, item in enumerate(items) if item is not BAD)


def _ids(reading: Reading[Directory], section: str, items: Sequence[Any]) -> dict[str, int]:
    """id -> index in its section; a second use is a fault."""
    first: dict[str, int] = {}
    for index, item in _items(items):
        if item.id is not BAD and first.setdefault(item.id, index) != index:
            reading.fault((section, index, "id"), f"{item.id} is already the id of {section}[{first[item.id]}]")
    return first


def _refer(
    reading: Reading[Directory], section: str, items: Sequence[Any], field: str, known: Iterable[str], target: str
) -> None:
    for index, item in _items(items):
        name = getattr(item, field)
        if name is not None and name is not BAD and name not in known:
            reading.fault((section, index, field), f"{name} is not declared under {target}{hint(name, known)}")


def _check_keys(reading: Reading[Directory], keys: Sequence[Any]) -> None:
    first: dict[str, int] = {}
    for index, key in _items(keys):
        path = ("keys", index)
        if key.user is None and key.team is None:
            reading.fault(path, "needs a user, or a team for a service key")
        if key.user is not None and key.team is not None:
            reading.fault((*path, "team"), "stands beside user, whose team it is already; give one of the two")
        if (key.secret is None) == (key.secret_sha256 is None):
            reading.fault(path, "needs exactly one of secret and secret_sha256")
        sha = secret_sha256(key)
        if sha is not None and first.setdefault(sha, index) != index:
            reading.fault(path, f"has the same secret as keys[{first[sha]}]")


def _check_budgets(reading: Reading[Directory], known: Mapping[str, Mapping[str, int]]) -> None:
    budgets = reading.value.budgets
    _ids(reading, "budgets", budgets)
    for index, budget in _items(budgets):
        path = ("budgets", index)
        for field, message in budget_faults(budget):
            reading.fault((*path, field), message)
        if budget.level in known and budget.of is not BAD and budget.of not in known[budget.level]:
            reading.fault(
                (*path, "of"),
                f"{budget.of} is not declared under {budget.level}s{hint(budget.of, known[budget.level])}",
            )
        if budget.level != "tag" or BAD in (budget.of, budget.org):
            continue
        name, value = split_tag(budget.of)
        if name == COST_CENTER_TAG and value not in (EVERY, *known["cost_center"]):
            reading.fault(
                (*path, "of"), f"{value} is not declared under cost_centers{hint(value, known[COST_CENTER_TAG])}"
            )
        if budget.org is None and len(known["org"]) > 1:
            reading.fault(path, "needs an org: a tag is one of its org, and several are declared")
        elif budget.org is not None and budget.org not in known["org"]:
            reading.fault((*path, "org"), f"{budget.org} is not declared under orgs{hint(budget.org, known['org'])}")


def secret_sha256(key: Key) -> str | None:
    """Hexadecimal SHA-256 of a key's secret; None where it could not be read."""
    if isinstance(key.secret, Secret):
        return hashlib.sha256(key.secret.reveal().encode()).hexdigest()
    return key.secret_sha256.lower() if isinstance(key.secret_sha256, str) else None


def _warnings(reading: Reading[Directory], directory: Directory) -> Iterator[Problem]:
    teams = {team.id: team for team in directory.teams}
    users = {user.id: user for user in directory.users}
    now_ns = clock.wall_ns()
    without: list[int] = []
    for index, key in enumerate(directory.keys):
        user = users[key.user] if key.user is not None else None
        team = teams[user.team if user is not None else key.team or ""]
        if not (key.cost_center or (user is not None and user.cost_center) or team.cost_center):
            without.append(index)
        if 0 < key.expires_ns() <= now_ns:
            yield reading.note(("keys", index, "expires"), f"{key.id} has expired")
        if key.secret is not None and check_form(key.secret.reveal()) == "typo":
            message = "begins like a fastgate key but its checksum is wrong; was it mistyped?"
            yield reading.note(("keys", index, "secret"), message)
    keys = {key.id for key in directory.keys}
    for index, budget in enumerate(directory.budgets):
        if budget.level == "key" and budget.of not in keys:
            message = f"{budget.of} is not declared here; it must have been made with `fastgate keys create`"
            yield reading.note(("budgets", index, "of"), message)
    for index in without[:WARNINGS_SHOWN]:
        message = f"{directory.keys[index].id} has no cost centre: none on the key, its user or its team"
        yield reading.note(("keys", index), message)
    if len(without) > WARNINGS_SHOWN:
        yield reading.note(("keys",), f"{len(without) - WARNINGS_SHOWN} more keys have no cost centre")
