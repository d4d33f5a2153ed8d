"""The channels through which each cost centre hears of its budgets."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("cost_centers", sa.Column("alerts", sa.JSON(), nullable=False, server_default="[]"))
