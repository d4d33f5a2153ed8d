"""Calls say what the cache did for them, and under which namespace.

The table is emptied and counted anew, as in u0002.
"""

import sqlalchemy as sa
from alembic import op

revision = "u0003"
down_revision = "u0002"


def upgrade() -> None:
    for table in ("calls", "offsets", "damage"):
        op.execute(sa.delete(sa.table(table)))
    with op.batch_alter_table("calls") as calls:
        calls.add_column(sa.Column("cache", sa.Text(), nullable=False))
        calls.add_column(sa.Column("namespace", sa.Text(), nullable=False))
