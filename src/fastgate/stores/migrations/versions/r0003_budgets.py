"""Budgets, temporary increases of them, and pauses by hand."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

text, number = sa.Text(), sa.BigInteger()


def upgrade() -> None:
    op.create_table(
        "budgets",
        sa.Column("id", text, primary_key=True),
        sa.Column("level", text, nullable=False),
        sa.Column("of", text, nullable=False),
        sa.Column("org_id", text, sa.ForeignKey("orgs.id")),
        sa.Column("per_seat", sa.Boolean(), nullable=False),
        sa.Column("models", sa.JSON(), nullable=False),
        sa.Column("period", text, nullable=False),
        sa.Column("rolling_h", sa.Integer(), nullable=False),
        sa.Column("tz", text, nullable=False),
        sa.Column("start_day", sa.Integer(), nullable=False),
        sa.Column("usd_nano", number, nullable=False),
        sa.Column("mode", text, nullable=False),
        sa.Column("stages", sa.JSON(), nullable=False),
        sa.Column("created_ns", number, nullable=False),
        sa.Column("origin", text, nullable=False),
        sa.CheckConstraint("(level = 'tag') = (org_id IS NOT NULL)", name="budgets_org_of_tags"),
    )
    op.create_table(
        "increases",
        sa.Column("id", text, primary_key=True),
        sa.Column("budget_id", text, sa.ForeignKey("budgets.id", ondelete="CASCADE"), nullable=False),
        sa.Column("amount_nano", number, nullable=False),
        sa.Column("not_after_ns", number, nullable=False),
        sa.Column("reason", text, nullable=False),
        sa.Column("state", text, nullable=False),
        sa.Column("requested_by", text, nullable=False),
        sa.Column("requested_ns", number, nullable=False),
        sa.Column("decided_by", text, nullable=False),
        sa.Column("decided_ns", number, nullable=False),
    )
    op.create_index("ix_increases_budget_id", "increases", ["budget_id"])
    op.create_table(
        "pauses",
        sa.Column("level", text, primary_key=True),
        sa.Column("of", text, primary_key=True),
        sa.Column("org_id", text, primary_key=True),
        sa.Column("reason", text, nullable=False),
        sa.Column("by", text, nullable=False),
        sa.Column("since_ns", number, nullable=False),
        sa.Column("until_ns", number, nullable=False),
    )
