"""Whether a key's client may use the cache's request headers."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("keys", sa.Column("cache_overrides", sa.Boolean(), nullable=False, server_default="1"))
