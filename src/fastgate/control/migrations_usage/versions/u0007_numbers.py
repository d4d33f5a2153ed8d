"""Calls in numbers: what many of them share is written once. The rows are carried over, seconds for a million calls."""

import sqlalchemy as sa
from alembic import op

revision = "u0007"
down_revision = "u0006"

KIND = (
    "org", "team", "user", "key", "cost_center", "model_asked", "model_used", "endpoint", "provider", "outcome",
    "tags", "cache", "namespace",
)  # fmt: skip
THREAD = ("session", "agent")
FIGURES = (
    "at_ns", "cost_nano", "cost_asked_nano", "saved_nano", "saved_downgrade_nano", "saved_arbitration_nano",
    "input_tokens", "output_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "cache_read_tokens", "segment",
    "offset", "prompt_cache", "broke_nano",
)  # fmt: skip

# An id is fg-EPOCH-NUMBER.
WORKER = "substr({0}, 4, instr(substr({0}, 4), '-') - 1)"
NUMBER = "CAST(substr({0}, 4 + instr(substr({0}, 4), '-')) AS INTEGER)"


def upgrade() -> None:
    _make()
    kind = [f'"{name}"' if name != "tags" else "coalesce(tags, '{}')" for name in KIND]
    names, figures = _listed(KIND), _listed(FIGURES)
    worker = WORKER.format("id")
    op.execute(f"INSERT INTO epochs (name) SELECT epoch FROM calls UNION SELECT {worker} FROM calls")  # noqa: S608
    op.execute(f"INSERT INTO kinds ({names}) SELECT DISTINCT {', '.join(kind)} FROM calls")  # noqa: S608
    op.execute("INSERT INTO threads (session, agent) SELECT DISTINCT session, agent FROM calls")
    alike = " AND ".join(f'k."{name}" = {value.replace("tags", "c.tags") if name == "tags" else "c." + value}'
                         for name, value in zip(KIND, kind, strict=True))  # fmt: skip
    op.execute(
        f"INSERT INTO counted (seq, worker, number, kind, thread, journal, {figures}) "  # noqa: S608
        f"SELECT c.seq, w.id, {NUMBER.format('c.id')}, k.id, t.id, j.id, {_listed(FIGURES, 'c.')} FROM calls c "
        f"CROSS JOIN epochs w ON w.name = {WORKER.format('c.id')} CROSS JOIN epochs j ON j.name = c.epoch "
        f"CROSS JOIN kinds k ON {alike} CROSS JOIN threads t ON t.session = c.session AND t.agent = c.agent "
        "ORDER BY c.seq"
    )
    op.execute(
        "INSERT INTO seen (worker, number, n, mark, kind, path) "  # noqa: S608
        f"SELECT w.id, {NUMBER.format('s.call')}, s.n, s.mark, s.kind, s.path FROM sightings s "
        f"JOIN epochs w ON w.name = {WORKER.format('s.call')}"
    )
    op.drop_table("sightings")
    op.drop_table("calls")
    op.rename_table("seen", "sightings")
    op.create_index("sightings_mark", "sightings", ["mark"])
    op.create_index("sightings_path", "sightings", ["path"], sqlite_where=sa.text("path != ''"))
    op.create_index("counted_once", "counted", ["worker", "number"], unique=True)
    op.create_index("counted_time", "counted", ["at_ns"])
    op.create_index("counted_kind", "counted", ["kind", "at_ns"])
    op.create_index("counted_thread", "counted", ["thread"])
    op.create_index("counted_broke", "counted", ["seq"], sqlite_where=sa.text("broke_nano > 0"))


def _listed(names: tuple[str, ...], of: str = "") -> str:
    return ", ".join(f'{of}"{name}"' for name in names)


def _make() -> None:
    def number() -> sa.Column[int]:
        return sa.Column("id", sa.Integer(), primary_key=True)

    op.create_table("epochs", number(), sa.Column("name", sa.Text(), nullable=False, unique=True))
    op.create_table("kinds", number(), *(sa.Column(name, sa.Text(), nullable=False) for name in KIND))
    op.create_index("kinds_once", "kinds", list(KIND), unique=True)
    op.create_table("threads", number(), *(sa.Column(name, sa.Text(), nullable=False) for name in THREAD))
    op.create_index("threads_once", "threads", list(THREAD), unique=True)
    op.create_table(
        "counted",
        sa.Column("seq", sa.Integer(), primary_key=True),
        sa.Column("worker", sa.Integer(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("thread", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in FIGURES[1:11]),
        sa.Column("journal", sa.Integer(), nullable=False),
        sa.Column("segment", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("prompt_cache", sa.Text()),
        sa.Column("broke_nano", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "seen",
        sa.Column("worker", sa.Integer(), primary_key=True),
        sa.Column("number", sa.BigInteger(), primary_key=True),
        sa.Column("n", sa.Integer(), primary_key=True),
        sa.Column("mark", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sqlite_with_rowid=False,
    )
