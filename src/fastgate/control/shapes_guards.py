"""The guards in force, as the admin API and the command line are given them. Conventions as in shapes.py."""

from __future__ import annotations

import msgspec

from fastgate.control.shapes import Moment


class GuardScope(msgspec.Struct, frozen=True, kw_only=True):
    """Whom it is for: every list that is not empty must name the caller."""

    orgs: list[str]
    teams: list[str]
    users: list[str]
    keys: list[str]
    tags: dict[str, str]


class GuardException(msgspec.Struct, frozen=True, kw_only=True):
    """A finding that is let through, and who answers for it. `match` is the keyed hash of the one that is meant, empty
    for every one; `over` says that its time has passed."""

    rule: str
    owner: str
    until: Moment | None
    over: bool
    match: str
    reason: str
    scope: GuardScope | None


class Guard(msgspec.Struct, frozen=True, kw_only=True):
    """One guard of the configuration, in its order. `by` is family or vendor; `severity` holds the actions that stand
    in place of `action`; no `rules` are all of the family, no `on` is what each rule is made for, no `scope` is
    everybody. Credentials and settings are not shown."""

    use: str
    by: str
    action: str
    severity: dict[str, str]
    rules: list[str]
    on: list[str]
    scope: GuardScope | None
    fail: str
    shadow: bool
    exceptions: list[GuardException]
