"""Reads of the directory that join a key with what it inherits from its user and team."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Row,
    Select,
    Table,
    Text,
    func,
    or_,
    select,
    type_coerce,
)

from fastgate.directory import Rates
from fastgate.snapshot import RateRow
from fastgate.stores import schema
from fastgate.stores.ports import SecretRow


def _inherited() -> tuple[FromClause, tuple[ColumnElement[Any], ...]]:
    """Keys joined with what they inherit: a key's team is its user's, a cost centre is the nearest one."""
    keys, users, teams = schema.keys.c, schema.users.c, schema.teams.c
    joined = schema.keys.outerjoin(schema.users, keys.user_id == users.id).join(
        schema.teams, teams.id == func.coalesce(keys.team_id, users.team_id)
    )
    center = func.coalesce(keys.cost_center_id, users.cost_center_id, teams.cost_center_id, "")
    return joined, (teams.id.label("team"), teams.org_id.label("org"), center.label("cost_center"))


def _keys_query() -> Select[Any]:
    joined, inherited = _inherited()
    return select(schema.keys, *inherited, schema.teams.c.open_tags.label("team_open_tags")).select_from(joined)


def _secrets_query() -> Select[Any]:
    """Every secret in the order of SecretRow's fields, JSON left as text."""
    joined, inherited = _inherited()
    keys, teams, secrets = schema.keys.c, schema.teams.c, schema.key_secrets.c
    owner = func.coalesce(keys.user_id, "").label("user")
    lists = [type_coerce(column, Text) for column in (keys.tags, keys.models, keys.open_tags, teams.open_tags)]
    rest = (secrets.not_after_ns, keys.expires_ns, keys.revoked_ns, keys.cache_overrides)
    query = select(secrets.digest, keys.id, owner, *inherited, *lists, *rest)
    return query.select_from(joined.join(schema.key_secrets, secrets.key_id == keys.id)).order_by(secrets.digest)


KEYS = _keys_query()
SECRETS = _secrets_query()


def merged_tags(own: list[str], team: list[str]) -> list[str]:
    return sorted({*own, *team}) if own or team else []


def rate_rows(connection: Connection) -> list[RateRow]:
    """Everyone who has a limit of their own, 0 included."""
    levels: dict[Literal["key", "user", "team"], Table] = {
        "key": schema.keys,
        "user": schema.users,
        "team": schema.teams,
    }
    found = []
    for level, table in levels.items():
        limits = [table.c[name] for name in Rates.__struct_fields__]
        query = select(table.c.id, *limits).where(or_(*(limit.is_not(None) for limit in limits)))
        found += [RateRow(level, *row) for row in connection.execute(query.order_by(table.c.id))]
    return found


def rates_of(row: Row[Any]) -> Rates:
    return Rates(**{name: getattr(row, name) for name in Rates.__struct_fields__})


def secret_rows(connection: Connection) -> list[SecretRow]:
    """Every secret with its principal. Equal tag sets and globs are one object: most keys share a few."""
    decoded: dict[str, Any] = {}

    def load(raw: str) -> Any:
        value = decoded.get(raw)
        if value is None:
            value = decoded[raw] = msgspec.json.decode(raw)
        return value

    return [
        SecretRow(
            digest=row[0],
            key=row[1],
            user=row[2],
            team=row[3],
            org=row[4],
            cost_center=row[5],
            tags=load(row[6]),
            models=load(row[7]),
            open_tags=merged_tags(load(row[8]), load(row[9])),
            not_after_ns=row[10],
            expires_ns=row[11],
            revoked_ns=row[12],
            cache_overrides=row[13],
        )
        for row in connection.execute(SECRETS)
    ]
