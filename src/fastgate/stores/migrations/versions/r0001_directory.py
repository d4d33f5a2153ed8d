"""Orgs, cost centres, teams, users, keys and their secrets."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


text, number, raw = sa.Text(), sa.BigInteger(), sa.LargeBinary()


def upgrade() -> None:
    groups()
    users()
    keys()


def groups() -> None:
    op.create_table(
        "meta",
        sa.Column("name", text, primary_key=True),
        sa.Column("value", raw, nullable=False),
    )
    op.create_table(
        "orgs",
        sa.Column("id", text, primary_key=True),
        sa.Column("name", text, nullable=False),
        sa.Column("origin", text, nullable=False),
    )
    op.create_table(
        "cost_centers",
        sa.Column("id", text, primary_key=True),
        sa.Column("owner", text, nullable=False),
        sa.Column("origin", text, nullable=False),
    )
    op.create_table(
        "teams",
        sa.Column("id", text, primary_key=True),
        sa.Column("org_id", text, sa.ForeignKey("orgs.id"), nullable=False),
        sa.Column("name", text, nullable=False),
        sa.Column("cost_center_id", text, sa.ForeignKey("cost_centers.id")),
        sa.Column("open_tags", sa.JSON(), nullable=False),
        sa.Column("origin", text, nullable=False),
    )


def users() -> None:
    op.create_table(
        "users",
        sa.Column("id", text, primary_key=True),
        sa.Column("team_id", text, sa.ForeignKey("teams.id"), nullable=False),
        sa.Column("name", text, nullable=False),
        sa.Column("email", text, nullable=False),
        sa.Column("cost_center_id", text, sa.ForeignKey("cost_centers.id")),
        sa.Column("origin", text, nullable=False),
    )
    op.create_index("ix_users_team_id", "users", ["team_id"])


def keys() -> None:
    op.create_table(
        "keys",
        sa.Column("id", text, primary_key=True),
        sa.Column("user_id", text, sa.ForeignKey("users.id")),
        sa.Column("team_id", text, sa.ForeignKey("teams.id")),
        sa.Column("cost_center_id", text, sa.ForeignKey("cost_centers.id")),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("models", sa.JSON(), nullable=False),
        sa.Column("open_tags", sa.JSON(), nullable=False),
        sa.Column("expires_ns", number, nullable=False),
        sa.Column("created_ns", number, nullable=False),
        sa.Column("revoked_ns", number, nullable=False),
        sa.Column("origin", text, nullable=False),
        sa.CheckConstraint("(user_id IS NULL) <> (team_id IS NULL)", name="keys_one_owner"),
    )
    op.create_index("ix_keys_user_id", "keys", ["user_id"])
    op.create_index("ix_keys_team_id", "keys", ["team_id"])
    op.create_table(
        "key_secrets",
        sa.Column("digest", raw, primary_key=True),
        sa.Column("key_id", text, sa.ForeignKey("keys.id", ondelete="CASCADE"), nullable=False),
        sa.Column("hint", text, nullable=False),
        sa.Column("created_ns", number, nullable=False),
        sa.Column("not_after_ns", number, nullable=False),
    )
    op.create_index("ix_key_secrets_key_id", "key_secrets", ["key_id"])
