"""Finished calls, their records, how far the journal is read, and what of it is damaged."""

import sqlalchemy as sa
from alembic import op

revision = "u0001"
down_revision = None

TEXTS = ("org", "team", "user", "key", "cost_center", "session", "agent", "model_asked", "model_used", "endpoint",
         "provider", "outcome")  # fmt: skip
NUMBERS = ("cost_nano", "cost_asked_nano", "saved_nano", "input_tokens", "output_tokens", "cache_write_5m_tokens",
           "cache_write_1h_tokens", "cache_read_tokens")  # fmt: skip


def upgrade() -> None:
    text, number = sa.Text(), sa.BigInteger()
    op.create_table(
        "calls",
        sa.Column("seq", sa.Integer(), primary_key=True),
        sa.Column("id", text, nullable=False, unique=True),
        sa.Column("at_ns", number, nullable=False),
        *(sa.Column(name, text, nullable=False) for name in TEXTS),
        sa.Column("tags", sa.JSON(none_as_null=True)),
        *(sa.Column(name, number, nullable=False) for name in NUMBERS),
    )
    op.create_index("calls_time", "calls", ["at_ns", "id"])
    for name in ("team", "user", "key", "session"):
        op.create_index(f"calls_{name}", "calls", [name, "at_ns"])
    op.create_table(
        "records",
        sa.Column("id", text, primary_key=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "offsets",
        sa.Column("epoch", text, primary_key=True),
        sa.Column("segment", sa.Integer(), nullable=False),
        sa.Column("offset", number, nullable=False),
        sa.Column("sequence", number, nullable=False),
        sa.Column("finished", sa.Integer(), nullable=False),
    )
    op.create_table(
        "damage",
        sa.Column("epoch", text, primary_key=True),
        sa.Column("segment", sa.Integer(), primary_key=True),
        sa.Column("offset", number, primary_key=True),
        sa.Column("reason", text, primary_key=True),
        sa.Column("found_ns", number, nullable=False),
    )
