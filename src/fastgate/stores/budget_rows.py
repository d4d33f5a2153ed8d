"""Reads of budgets, increases and pauses, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, Table, func, select

from fastgate.similar import NAMES_MAX, hint
from fastgate.snapshot import BudgetRow, PauseRow, Raise
from fastgate.stores import schema
from fastgate.stores.ports import BudgetView, StoreError

SUBJECTS: dict[str, Table] = {"org": schema.orgs, "team": schema.teams, "user": schema.users, "key": schema.keys}


def _orgs() -> dict[str, Select[Any]]:
    """For each level the query of (subject, the org it belongs to now)."""
    orgs, teams, users, keys = schema.orgs.c, schema.teams.c, schema.users.c, schema.keys.c
    owner = teams.id == func.coalesce(keys.team_id, users.team_id)
    of_keys = schema.keys.outerjoin(schema.users, users.id == keys.user_id).join(schema.teams, owner)
    return {
        "org": select(orgs.id, orgs.id.label("org")),
        "team": select(teams.id, teams.org_id.label("org")),
        "user": select(users.id, teams.org_id.label("org")).join(schema.teams, teams.id == users.team_id),
        "key": select(keys.id, teams.org_id.label("org")).select_from(of_keys),
    }


ORGS = _orgs()


def view_of(connection: Connection, budget_id: str) -> BudgetView:
    row = connection.execute(select(schema.budgets).where(schema.budgets.c.id == budget_id)).mappings().first()
    if row is None:
        raise missing(connection, schema.budgets, "budget", budget_id)
    return shape(connection, dict(row), row["origin"])


def missing(connection: Connection, table: Table, kind: str, name: str) -> StoreError:
    """There is no such row; the error says which was probably meant."""
    ids = connection.scalars(select(table.c.id).order_by(table.c.id).limit(NAMES_MAX))
    return StoreError("not_found", f"there is no {kind} {name}{hint(name, ids)}")


def shape(connection: Connection, row: dict[str, Any], origin: Any) -> BudgetView:
    org = row["org_id"] or org_of(connection, row["level"], row["of"])
    increases = approved(connection, row["id"]).get(row["id"], ())
    return BudgetView(_budget(row, org, increases), origin)


def _budget(row: Any, org: str, increases: Sequence[Raise]) -> BudgetRow:
    return BudgetRow(
        id=row["id"],
        org=org,
        level=row["level"],
        of=row["of"],
        per_seat=row["per_seat"],
        models=tuple(row["models"]),
        period=row["period"],
        rolling_h=row["rolling_h"],
        tz=row["tz"],
        start_day=row["start_day"],
        usd_nano=row["usd_nano"],
        hard=row["mode"] == "hard",
        stages=tuple((at_ppm, action) for at_ppm, action in row["stages"]),
        increases=tuple(increases),
        created_ns=row["created_ns"],
    )


def org_of(connection: Connection, level: str, of: str) -> str:
    """The org that a subject belongs to now; empty where the subject is gone."""
    found = connection.execute(ORGS[level].where(SUBJECTS[level].c.id == of)).first()
    return str(found.org) if found is not None else ""


def approved(connection: Connection, budget_id: str = "") -> dict[str, list[Raise]]:
    """Approved increases by budget, in the order in which they end."""
    table = schema.increases
    columns = (table.c.budget_id, table.c.amount_nano, table.c.not_after_ns, table.c.cell)
    query = select(*columns).where(table.c.state == "approved")
    if budget_id:
        query = query.where(table.c.budget_id == budget_id)
    found: dict[str, list[Raise]] = {}
    for budget, *of in connection.execute(query.order_by(table.c.not_after_ns, table.c.id)):
        found.setdefault(budget, []).append(Raise(*of))
    return found


def budget_rows(connection: Connection) -> list[BudgetRow]:
    """Every budget, for the snapshot, by id."""
    table = schema.budgets
    rows = connection.execute(select(table).order_by(table.c.id)).mappings().all()
    increases = approved(connection)
    orgs: dict[tuple[str, str], str] = {}
    for level in {row["level"] for row in rows} - {"tag"}:
        named = select(table.c.of).where(table.c.level == level)
        found = connection.execute(ORGS[level].where(SUBJECTS[level].c.id.in_(named)))
        orgs.update({(level, of): org for of, org in found})
    return [
        _budget(row, row["org_id"] or orgs.get((row["level"], row["of"]), ""), increases.get(row["id"], ()))
        for row in rows
    ]


def pause_rows(connection: Connection) -> list[PauseRow]:
    table = schema.pauses
    found = connection.execute(select(table).order_by(table.c.level, table.c.of, table.c.org_id))
    return [PauseRow(row.level, row.of, row.org_id, row.reason, row.by, row.since_ns, row.until_ns) for row in found]
