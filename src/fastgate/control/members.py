"""Reads who there is: orgs, cost centres, teams, users, page by page in order of their ids. Changes nothing.

Owns these listings; keys are the directory store's own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Engine, Row, Select, Table, select

from fastgate.control.shapes import CostCenter, Org, Page, Team, User
from fastgate.stores import schema
from fastgate.stores.engine import reading

Item = TypeVar("Item")

_USERS = select(schema.users, schema.teams.c.org_id).join(schema.teams, schema.teams.c.id == schema.users.c.team_id)


class Members:
    """Listings over the directory's database."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def close(self) -> None:
        self.engine.dispose()

    def orgs(self, after: str, limit: int) -> Page[Org]:
        return self._page(select(schema.orgs), schema.orgs, after, limit, lambda row: Org(row.id, row.name, row.origin))

    def cost_centers(self, after: str, limit: int) -> Page[CostCenter]:
        return self._page(select(schema.cost_centers), schema.cost_centers, after, limit, _cost_center)

    def teams(self, after: str, limit: int) -> Page[Team]:
        return self._page(select(schema.teams), schema.teams, after, limit, _team)

    def users(self, after: str, limit: int) -> Page[User]:
        return self._page(_USERS, schema.users, after, limit, _user)

    def _page(
        self, query: Select[Any], table: Table, after: str, limit: int, shape: Callable[[Row[Any]], Item]
    ) -> Page[Item]:
        with reading(self.engine) as connection:
            found = connection.execute(query.where(table.c.id > after).order_by(table.c.id).limit(limit + 1)).all()
        more = len(found) > limit
        return Page([shape(row) for row in found[:limit]], found[limit - 1].id if more else None)


def _cost_center(row: Row[Any]) -> CostCenter:
    return CostCenter(row.id, row.owner, row.origin, row.alerts)


def _team(row: Row[Any]) -> Team:
    return Team(row.id, row.org_id, row.name, row.cost_center_id, row.open_tags, row.origin, *_rates(row))


def _user(row: Row[Any]) -> User:
    return User(row.id, row.team_id, row.org_id, row.name, row.email, row.cost_center_id, row.origin, *_rates(row))


def _rates(row: Row[Any]) -> tuple[int | None, int | None, int | None]:
    return row.requests_per_minute, row.tokens_per_minute, row.parallel_calls
