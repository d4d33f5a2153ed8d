"""Who is told of what: from a budget's level to the cost centre that pays, its channels and owner, and to the user.

Reads the directory and the `alerts` section; knows neither messages nor how they are sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import Connection, Engine, func, select

from fastgate.budgets import COST_CENTER_TAG, EVERY, split_tag
from fastgate.config_alerts import Alerts, has_place, is_email, reaches_people
from fastgate.control.alerts.outbox import Receiver
from fastgate.snapshot import BudgetRow
from fastgate.stores import schema
from fastgate.stores.engine import reading

KEY_SEAT = "key:"
"""How a seat begins that is a key's, where no user is behind it."""


class Concerned(NamedTuple):
    """Whom a cell concerns; each empty where nobody."""

    cost_center: str
    owner: str
    channels: tuple[str, ...]
    email: str
    """Of the user whose own budget it is."""


class Routes:
    """Questions to the directory's database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def of_stage(self, row: BudgetRow, cell: str, settings: Alerts) -> list[Receiver]:
        """Who hears of a stage: who decides on the budget, and the user whose own it is."""
        concerned = self._concerned(row, cell)
        found = _deciders(concerned, settings)
        if concerned.email:
            found += _people(settings, concerned.email)
        return list(dict.fromkeys(found))

    def of_request(self, row: BudgetRow, cell: str, settings: Alerts) -> list[Receiver]:
        """Who hears that more is asked for: who decides on the budget."""
        return list(dict.fromkeys(_deciders(self._concerned(row, cell), settings)))

    def of_asker(self, key: str, settings: Alerts) -> list[Receiver]:
        """Who asked for an increase with a key: its user, where somebody is behind it."""
        with reading(self._engine) as connection:
            user, _ = _of_key(connection, key)
            email = _email(connection, user) if user else ""
        return _people(settings, email) if email else []

    def _concerned(self, row: BudgetRow, cell: str) -> Concerned:
        with reading(self._engine) as connection:
            return _concerned(connection, row, cell)


def _deciders(concerned: Concerned, settings: Alerts) -> list[Receiver]:
    """The cost centre's channels and owner, else the fallback."""
    known = {channel.name for channel in settings.channels if has_place(channel)}
    found = [Receiver(name) for name in concerned.channels if name in known]
    if is_email(concerned.owner):
        found += _people(settings, concerned.owner)
    return found or [Receiver(name) for name in settings.fallback]


def of_operators(settings: Alerts) -> list[Receiver]:
    """Who hears of what the gateway's operator must mend."""
    return [Receiver(name) for name in settings.operators or settings.fallback]


def places(settings: Alerts, name: str = "") -> Iterator[Receiver]:
    """Every channel with a place of its own, or the one of that name."""
    for channel in settings.channels:
        if has_place(channel) and name in ("", channel.name):
            yield Receiver(channel.name)


def _people(settings: Alerts, email: str) -> list[Receiver]:
    able = {channel.name for channel in settings.channels if reaches_people(channel)}
    return [Receiver(name, email) for name in settings.users if name in able]


def _concerned(connection: Connection, row: BudgetRow, cell: str) -> Concerned:
    user, center = _user_and_center(connection, row, cell)
    email = _email(connection, user) if user else ""
    centers = schema.cost_centers.c
    found = connection.execute(select(centers.owner, centers.alerts).where(centers.id == center)).first()
    owner, channels = (found.owner, tuple(found.alerts)) if found is not None else ("", ())
    return Concerned(center, owner, channels, email)


def _email(connection: Connection, user: str) -> str:
    """A user's address, where it is one."""
    found = connection.scalar(select(schema.users.c.email).where(schema.users.c.id == user)) or ""
    return found if is_email(found) else ""


def _user_and_center(connection: Connection, row: BudgetRow, cell: str) -> tuple[str, str]:
    """Whose own budget a cell is, and the cost centre that pays for what it counts."""
    seat = cell.rpartition(" ")[2] if row.per_seat else ""
    if row.level == "user" or (seat and not seat.startswith(KEY_SEAT)):
        user = row.of if row.level == "user" else seat
        return user, _center_of_user(connection, user)
    if row.level == "key" or seat:
        return _of_key(connection, row.of if row.level == "key" else seat.removeprefix(KEY_SEAT))
    if row.level == "team":
        return "", connection.scalar(select(schema.teams.c.cost_center_id).where(schema.teams.c.id == row.of)) or ""
    if row.level == "tag":
        name, value = split_tag(row.of)
        if name == COST_CENTER_TAG:
            return "", cell if value == EVERY else value
    return "", ""


def _center_of_user(connection: Connection, user: str) -> str:
    users, teams = schema.users.c, schema.teams.c
    center = func.coalesce(users.cost_center_id, teams.cost_center_id, "")
    joined = schema.users.join(schema.teams, teams.id == users.team_id)
    return connection.scalar(select(center).select_from(joined).where(users.id == user)) or ""


def _of_key(connection: Connection, key: str) -> tuple[str, str]:
    keys, users, teams = schema.keys.c, schema.users.c, schema.teams.c
    center = func.coalesce(keys.cost_center_id, users.cost_center_id, teams.cost_center_id, "")
    owner = teams.id == func.coalesce(keys.team_id, users.team_id)
    joined = schema.keys.outerjoin(schema.users, users.id == keys.user_id).join(schema.teams, owner)
    asked = select(func.coalesce(keys.user_id, "").label("user"), center.label("center")).select_from(joined)
    found = connection.execute(asked.where(keys.id == key)).first()
    return (found.user, found.center) if found is not None else ("", "")
