"""Which texts were new in a call, by mark and path. Calls before it have none, so nothing is counted anew."""

import sqlalchemy as sa
from alembic import op

revision = "u0006"
down_revision = "u0005"


def upgrade() -> None:
    op.create_table(
        "sightings",
        sa.Column("call", sa.Text(), primary_key=True),
        sa.Column("n", sa.Integer(), primary_key=True),
        sa.Column("mark", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("sightings_mark", "sightings", ["mark"])
    op.create_index("sightings_path", "sightings", ["path"], sqlite_where=sa.text("path != ''"))
