"""Increases of one cell of a budget, and the key with which a developer asked for one."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    for name in ("cell", "key_id"):
        op.add_column("increases", sa.Column(name, sa.Text(), nullable=False, server_default=""))
