"""The `guards:` section of fastgate.yaml, every field documented, and what it becomes in the snapshot.

Owns what may be written and the default. Whether families, rules and settings exist is policy.py's to say.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from fastgate.directory_checks import moment_ns, moment_problem
from fastgate.guards.rule import Kind, load_scanners
from fastgate.refs import Secret
from fastgate.snapshot import GuardException, GuardRow, GuardScope
from fastgate.strict import Check, Range

Action = Literal["block", "redact", "log"]


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a guard or an exception is for: every list that is not empty must name the caller."""

    orgs: tuple[str, ...] = ()
    """Ids of organisations."""
    teams: tuple[str, ...] = ()
    """Ids of teams."""
    users: tuple[str, ...] = ()
    """Ids of users."""
    keys: tuple[str, ...] = ()
    """Ids of virtual keys."""
    tags: dict[str, str] = {}
    """Tags of the key and their values; `*` in a value matches anything."""


class Exemption(msgspec.Struct, frozen=True, kw_only=True):
    """A finding that is let through and recorded, by somebody's decision."""

    rule: str
    """Id of the rule."""
    owner: str
    """Who answers for it; the record names them."""
    until: Annotated[datetime, Check(moment_problem)] | None = None
    """When it ends; absent: never."""
    match: str = ""
    """Keyed hash of the one match that is meant, as `calls show` and refusals name it; empty: every match."""
    scope: Scope | None = None
    """For whom; absent: everybody."""
    reason: str = ""
    """Why."""


class Severities(msgspec.Struct, frozen=True, kw_only=True):
    """Actions for single severities, in place of `action`."""

    low: Action | None = None
    """What to do at findings of low severity."""
    medium: Action | None = None
    """What to do at findings of medium severity."""
    high: Action | None = None
    """What to do at findings of high severity."""
    critical: Action | None = None
    """What to do at findings of critical severity."""


class GuardCredentials(msgspec.Struct, frozen=True, kw_only=True):
    """Where a vendor's credential comes from, where it is not `api_key`."""

    file: str = ""
    """A file that holds the key and nothing else; AWS's shared credentials file; a Google credentials file. Relative to
    this file."""
    command: tuple[str, ...] = ()
    """A program and its arguments that print a key or token, as an endpoint's."""
    profile: str = ""
    """Of AWS's shared credentials file."""


class Guard(msgspec.Struct, frozen=True, kw_only=True):
    """One family of rules in use, or one vendor that is asked. Where several name a rule, the strongest action counts.

    `url`, `api_key`, `credentials`, `timeout_ms` and `parallel` are for vendors."""

    use: str
    """The family, `fastgate guards list` names them; or the vendor, docs/guard-vendors.md names them."""
    action: Action = "log"
    """block: refuse the request, or end the answer. redact: put a placeholder in the secret's place, and the secret
    back into the answer. log: record it."""
    severity: Severities = Severities()
    """Actions for single severities."""
    rules: tuple[str, ...] = ()
    """Ids of the rules that are used; empty: all of the family."""
    on: tuple[Kind, ...] = ()
    """Kinds of content blocks that are looked at; empty: those that each rule is made for."""
    scope: Scope | None = None
    """For whom; absent: everybody."""
    fail: Literal["open", "closed"] = "open"
    """What becomes of a request with something that cannot be scanned, an image for example, or that a vendor did not
    judge in time: open lets it pass, marked `not-scanned`; closed refuses it."""
    shadow: bool = False
    """Only record what would have been done."""
    settings: dict[str, Any] = {}
    """What the family or vendor can be told beyond that; docs/guard-families.md and docs/guard-vendors.md list the
    settings of each."""
    exceptions: tuple[Exemption, ...] = ()
    """Findings that are let through."""
    url: str = ""
    """Of a vendor: where it answers; empty is its own address, where it has one for everybody."""
    api_key: Secret | None = None
    """Of a vendor: its key or token."""
    credentials: GuardCredentials = GuardCredentials()
    """Of a vendor: where the key comes from otherwise."""
    timeout_ms: Annotated[int, Range(10, 60_000)] = 2000
    """Of a vendor: how long a call waits for its verdicts, all of them together, in milliseconds."""
    parallel: Annotated[int, Range(1, 256)] = 16
    """Of a vendor: questions that are open there at once, of each worker."""


DEFAULT = (Guard(use="secrets", action="redact"), Guard(use="injection", action="log"))
"""What a configuration without the key has."""


def in_force(guards: tuple[Guard, ...] | None) -> tuple[GuardRow, ...]:
    """The snapshot's rows for what the file says, the default where it says nothing."""
    if guards is not None:
        return compiled(guards)
    shipped = load_scanners()
    return compiled(guard for guard in DEFAULT if guard.use in shipped)


def compiled(guards: Iterable[Guard]) -> tuple[GuardRow, ...]:
    """The rows of the snapshot."""
    return tuple(
        GuardRow(
            use=guard.use,
            action=guard.action,
            severity={
                name: action for name, action in msgspec.structs.asdict(guard.severity).items() if action is not None
            },
            rules=guard.rules,
            on=guard.on,
            scope=_scope(guard.scope),
            fail=guard.fail,
            shadow=guard.shadow,
            settings=guard.settings,
            exceptions=tuple(
                GuardException(
                    rule=exception.rule,
                    owner=exception.owner,
                    until_ns=0 if exception.until is None else moment_ns(exception.until),
                    match=exception.match,
                    scope=_scope(exception.scope),
                )
                for exception in guard.exceptions
            ),
            url=guard.url,
            api_key="" if guard.api_key is None else guard.api_key.reference,
            credentials_file=guard.credentials.file,
            command=guard.credentials.command,
            profile=guard.credentials.profile,
            timeout_ms=guard.timeout_ms,
            parallel=guard.parallel,
        )
        for guard in guards
    )


def _scope(scope: Scope | None) -> GuardScope | None:
    return None if scope is None else GuardScope(scope.orgs, scope.teams, scope.users, scope.keys, scope.tags)
