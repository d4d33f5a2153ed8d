"""Plans how declared rows become what a directory declares. Pure: rows in, changes out; embedded.py carries them out.

Owns the rules of origin: managed rows are never touched, and what they use cannot vanish.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from fastgate.directory import Directory, Rates, secret_sha256
from fastgate.directory_budgets import Budget
from fastgate.stores.ports import Change, StoreError, SubjectKind

Row = dict[str, Any]
Rows = Mapping[str, Row]

KINDS: tuple[SubjectKind, ...] = ("org", "cost_center", "team", "user", "key", "budget")
"""Each kind refers only to those before it."""
REFERENCES: Mapping[str, SubjectKind] = {
    "org_id": "org",
    "cost_center_id": "cost_center",
    "team_id": "team",
    "user_id": "user",
}
IMMUTABLE: Mapping[str, str] = {
    "level": "level",
    "of": "subject",
    "org_id": "org",
    "per_seat": "seats",
    "models": "models",
    "period": "period",
    "rolling_h": "window",
    "tz": "time zone",
    "start_day": "start day",
}
"""Columns by which a budget is this budget, and what people call them."""
SECRET_FIELD = "secret"  # noqa: S105 - the name of a field
"""Stands in an update's `after` when the secret is another one."""
SHOWN_CONFLICTS = 10
"""How many conflicts an error lists."""


class Existing(msgspec.Struct, frozen=True):
    """The store's rows by kind and id, with `origin`, without times; and the digests of declared keys."""

    rows: Mapping[SubjectKind, Rows]
    digests: Mapping[str, frozenset[bytes]]
    """Digests of each declared key."""
    owners: Mapping[bytes, str]
    """Digest -> key, of every secret."""


class Plan(msgspec.Struct):
    """What to do. `secrets` are the keys whose secrets are replaced by one digest."""

    changes: list[Change] = []
    secrets: dict[str, bytes] = {}


def declared_rows(directory: Directory) -> dict[SubjectKind, dict[str, Row]]:
    """The directory in the shape of the store's rows."""
    return {
        "org": {org.id: {"name": org.name} for org in directory.orgs},
        "cost_center": {
            center.id: {"owner": center.owner, "alerts": list(center.alerts)} for center in directory.cost_centers
        },
        "team": {
            team.id: {
                "org_id": team.org,
                "name": team.name,
                "cost_center_id": team.cost_center,
                "open_tags": sorted(set(team.open_tags)),
                **rate_columns(team),
            }
            for team in directory.teams
        },
        "user": {
            user.id: {
                "team_id": user.team,
                "name": user.name,
                "email": user.email,
                "cost_center_id": user.cost_center,
                **rate_columns(user),
            }
            for user in directory.users
        },
        "key": {
            key.id: {
                "user_id": key.user,
                "team_id": key.team,
                "cost_center_id": key.cost_center,
                "tags": dict(key.tags),
                "models": list(key.models),
                "open_tags": sorted(set(key.open_tags)),
                "cache_overrides": key.cache_overrides,
                "expires_ns": key.expires_ns(),
                **rate_columns(key),
            }
            for key in directory.keys
        },
        "budget": {budget.id: budget_row(budget, _org_of_tags(directory, budget)) for budget in directory.budgets},
    }


def rate_columns(limited: Rates) -> dict[str, int | None]:
    return {name: getattr(limited, name) for name in Rates.__struct_fields__}


def budget_row(budget: Budget, tag_org: str | None) -> Row:
    """A budget in the shape of the store's row; `tag_org` is the org of a tag's."""
    return {
        "level": budget.level,
        "of": budget.of,
        "org_id": tag_org if budget.level == "tag" else None,
        "per_seat": budget.per_seat,
        "models": list(budget.models),
        "period": budget.period,
        "rolling_h": budget.rolling_h or 0,
        "tz": budget.tz,
        "start_day": budget.start_day,
        "usd_nano": budget.usd_nano(),
        "mode": budget.mode,
        "stages": [list(stage) for stage in budget.stages_ppm()],
    }


def _org_of_tags(directory: Directory, budget: Budget) -> str | None:
    """A tag's org may be left out where only one is declared."""
    return budget.org or (directory.orgs[0].id if directory.orgs else None)


def plan(directory: Directory, existing: Existing, digest_of: Callable[[str], bytes]) -> Plan:
    """The changes that make the store's declared rows equal to `directory`. `digest_of` takes a secret's SHA-256.

    A key that was revoked stays revoked until its declaration brings another secret. Raises StoreError(conflict).
    """
    wanted = declared_rows(directory)
    _refuse_conflicts(wanted, existing)
    _refuse_budgets(wanted, existing)
    digests = {key.id: digest_of(secret_sha256(key) or "") for key in directory.keys}
    _refuse_shared_secrets(digests, existing)
    result = Plan()
    for kind in KINDS:
        for subject, row in wanted[kind].items():
            old = existing.rows[kind].get(subject)
            fresh = kind == "key" and existing.digests.get(subject) != frozenset((digests[subject],))
            change = _change(kind, subject, old, row, fresh)
            if fresh:
                result.secrets[subject] = digests[subject]
            if change is not None:
                result.changes.append(change)
    for kind in reversed(KINDS):
        for subject, old in existing.rows[kind].items():
            if old["origin"] == "declared" and subject not in wanted[kind]:
                before = {name: value for name, value in old.items() if name != "origin"}
                result.changes.append(Change("remove", kind, subject, before, None))
    return result


def _change(kind: SubjectKind, subject: str, old: Row | None, row: Row, fresh_secret: bool) -> Change | None:
    if old is None:
        return Change("create", kind, subject, None, row)
    differing = [name for name in row if old[name] != row[name]]
    before = {name: old[name] for name in differing}
    after = {name: row[name] for name in differing}
    if fresh_secret:
        after[SECRET_FIELD] = "replaced"
        if old["revoked_ns"]:
            before["revoked_ns"], after["revoked_ns"] = old["revoked_ns"], 0
    return Change("update", kind, subject, before, after) if after else None


def _refuse_conflicts(wanted: Mapping[SubjectKind, Rows], existing: Existing) -> None:
    wrong = [
        f"{kind} {subject} was made through the command line or the API; declare it under another id"
        for kind in KINDS
        for subject in wanted[kind]
        if existing.rows[kind].get(subject, {}).get("origin") == "managed"
    ]
    for kind in KINDS:
        for subject, row in existing.rows[kind].items():
            if row["origin"] != "managed":
                continue
            for column, target in REFERENCES.items():
                name = row.get(column)
                if name is None or name in wanted[target] or existing.rows[target][name]["origin"] == "managed":
                    continue
                wrong.append(f"{target} {name} is no longer declared, but {kind} {subject} uses it")
    _refuse(wrong)


def selector_changes(old: Row, row: Row) -> list[str]:
    """The fields by which a budget would become another one."""
    return [name for name in IMMUTABLE if old[name] != row[name]]


def immutable_sentence(subject: str, fields: list[str]) -> str:
    named = ", ".join(IMMUTABLE[name] for name in fields)
    return (
        f"budget {subject} would change its {named}, and what it has counted so far would mean something else: "
        "only amount, mode and stages of a budget can change; make a new budget with another id"
    )


def _refuse_budgets(wanted: Mapping[SubjectKind, Rows], existing: Existing) -> None:
    """Declared budgets keep their selectors, and what a budget is of exists."""
    wrong = []
    for subject, row in wanted["budget"].items():
        old = existing.rows["budget"].get(subject)
        if old is not None and (fields := selector_changes(old, row)):
            wrong.append(immutable_sentence(subject, fields))
        made = row["level"] == "key" and existing.rows["key"].get(row["of"], {}).get("origin") == "managed"
        if row["level"] == "key" and row["of"] not in wanted["key"] and not made:
            wrong.append(f"budget {subject} is of key {row['of']}, and there is no such key")
        if row["level"] == "tag" and row["org_id"] is None:
            wrong.append(f"budget {subject} is of a tag, and no org is declared")
    for subject, row in existing.rows["budget"].items():
        if row["origin"] != "managed" or row["level"] == "tag":
            continue
        gone = row["of"] not in wanted[row["level"]]
        if gone and existing.rows[row["level"]].get(row["of"], {}).get("origin") == "declared":
            wrong.append(f"{row['level']} {row['of']} is no longer declared, but budget {subject} is of it")
    _refuse(wrong)


def _refuse_shared_secrets(digests: Mapping[str, bytes], existing: Existing) -> None:
    wrong = []
    for key, digest in digests.items():
        owner = existing.owners.get(digest, key)
        if owner != key and existing.rows["key"][owner]["origin"] == "managed":
            wrong.append(
                f"key {key} declares the secret of key {owner}, which was made through the command line or API"
            )
    _refuse(wrong)


def _refuse(wrong: list[str]) -> None:
    if wrong:
        more = [f"and {len(wrong) - SHOWN_CONFLICTS} more"] if len(wrong) > SHOWN_CONFLICTS else []
        raise StoreError("conflict", "; ".join(wrong[:SHOWN_CONFLICTS] + more))
