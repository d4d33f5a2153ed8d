"""Rate and concurrency limits of teams, users and keys."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    for table in ("teams", "users", "keys"):
        for name in ("requests_per_minute", "tokens_per_minute", "parallel_calls"):
            op.add_column(table, sa.Column(name, sa.Integer()))
