"""Calls say what saved on them: a cheaper model, a cheaper endpoint; the rest of `saved_nano` is the cache's.

The table is emptied and counted anew, as in u0002.
"""

import sqlalchemy as sa
from alembic import op

revision = "u0004"
down_revision = "u0003"


def upgrade() -> None:
    for table in ("calls", "offsets", "damage"):
        op.execute(sa.delete(sa.table(table)))
    with op.batch_alter_table("calls") as calls:
        calls.add_column(sa.Column("saved_downgrade_nano", sa.BigInteger(), nullable=False))
        calls.add_column(sa.Column("saved_arbitration_nano", sa.BigInteger(), nullable=False))
