"""Alerts that were raised, and to whom each still has to go."""

import sqlalchemy as sa
from alembic import op

revision = "a0001"
down_revision = None


def upgrade() -> None:
    text, number = sa.Text(), sa.BigInteger()
    op.create_table(
        "events",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("key", text, nullable=False),
        sa.Column("period_ns", number, nullable=False),
        sa.Column("at_ns", number, nullable=False),
        sa.Column("notice", sa.JSON(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("events_key", "events", ["key", "period_ns", "at_ns"])
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("event_id", sa.Integer(), sa.ForeignKey("events.id", ondelete="CASCADE"), nullable=False),
        sa.Column("channel", text, nullable=False),
        sa.Column("receiver", text, nullable=False),
        sa.Column("state", text, nullable=False),
        sa.Column("due_ns", number, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", text, nullable=False),
        sa.Column("sent_ns", number, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_deliveries_event_id", "deliveries", ["event_id"])
    op.create_index("deliveries_due", "deliveries", ["state", "due_ns"])
    op.create_index("deliveries_to", "deliveries", ["channel", "receiver", "sent_ns"])
