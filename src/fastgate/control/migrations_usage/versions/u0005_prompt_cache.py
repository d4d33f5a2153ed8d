"""Calls say what they should have read from the provider's prompt cache, and what a break of it cost.

The table is emptied and counted anew, as in u0002.
"""

import sqlalchemy as sa
from alembic import op

revision = "u0005"
down_revision = "u0004"


def upgrade() -> None:
    for table in ("calls", "offsets", "damage"):
        op.execute(sa.delete(sa.table(table)))
    with op.batch_alter_table("calls") as calls:
        calls.add_column(sa.Column("prompt_cache", sa.Text()))
        calls.add_column(sa.Column("broke_nano", sa.BigInteger(), nullable=False))
    op.create_index("calls_broke", "calls", ["seq"], sqlite_where=sa.text("broke_nano > 0"))
