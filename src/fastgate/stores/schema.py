"""The directory's tables as the newest migration leaves them (a test holds the two together)."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
orgs = Table(
    "orgs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("origin", Text, nullable=False),
)
cost_centers = Table(
    "cost_centers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("alerts", JSON, nullable=False, server_default="[]"),
    Column("origin", Text, nullable=False),
)
teams = Table(
    "teams",
    metadata,
    Column("id", Text, primary_key=True),
    Column("org_id", Text, ForeignKey("orgs.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("cost_center_id", Text, ForeignKey("cost_centers.id")),
    Column("open_tags", JSON, nullable=False),
    Column("origin", Text, nullable=False),
    Column("requests_per_minute", Integer),
    Column("tokens_per_minute", Integer),
    Column("parallel_calls", Integer),
)
users = Table(
    "users",
    metadata,
    Column("id", Text, primary_key=True),
    Column("team_id", Text, ForeignKey("teams.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("cost_center_id", Text, ForeignKey("cost_centers.id")),
    Column("origin", Text, nullable=False),
    Column("requests_per_minute", Integer),
    Column("tokens_per_minute", Integer),
    Column("parallel_calls", Integer),
)
keys = Table(
    "keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, ForeignKey("users.id"), index=True),
    Column("team_id", Text, ForeignKey("teams.id"), index=True),
    Column("cost_center_id", Text, ForeignKey("cost_centers.id")),
    Column("tags", JSON, nullable=False),
    Column("models", JSON, nullable=False),
    Column("open_tags", JSON, nullable=False),
    Column("cache_overrides", Boolean, nullable=False, server_default="1"),
    Column("expires_ns", BigInteger, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("revoked_ns", BigInteger, nullable=False),
    Column("origin", Text, nullable=False),
    Column("requests_per_minute", Integer),
    Column("tokens_per_minute", Integer),
    Column("parallel_calls", Integer),
    CheckConstraint("(user_id IS NULL) <> (team_id IS NULL)", name="keys_one_owner"),
)
key_secrets = Table(
    "key_secrets",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("key_id", Text, ForeignKey("keys.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("hint", Text, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("not_after_ns", BigInteger, nullable=False),
)
budgets = Table(
    "budgets",
    metadata,
    Column("id", Text, primary_key=True),
    Column("level", Text, nullable=False),
    Column("of", Text, nullable=False),
    Column("org_id", Text, ForeignKey("orgs.id")),
    Column("per_seat", Boolean, nullable=False),
    Column("models", JSON, nullable=False),
    Column("period", Text, nullable=False),
    Column("rolling_h", Integer, nullable=False),
    Column("tz", Text, nullable=False),
    Column("start_day", Integer, nullable=False),
    Column("usd_nano", BigInteger, nullable=False),
    Column("mode", Text, nullable=False),
    Column("stages", JSON, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("origin", Text, nullable=False),
    CheckConstraint("(level = 'tag') = (org_id IS NOT NULL)", name="budgets_org_of_tags"),
)
increases = Table(
    "increases",
    metadata,
    Column("id", Text, primary_key=True),
    Column("budget_id", Text, ForeignKey("budgets.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("amount_nano", BigInteger, nullable=False),
    Column("not_after_ns", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("requested_ns", BigInteger, nullable=False),
    Column("decided_by", Text, nullable=False),
    Column("decided_ns", BigInteger, nullable=False),
    Column("cell", Text, nullable=False, server_default=""),
    Column("key_id", Text, nullable=False, server_default=""),
)
pauses = Table(
    "pauses",
    metadata,
    Column("level", Text, primary_key=True),
    Column("of", Text, primary_key=True),
    Column("org_id", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("since_ns", BigInteger, nullable=False),
    Column("until_ns", BigInteger, nullable=False),
)
changes = Table(
    "changes",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("at_ns", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("before", JSON(none_as_null=True)),
    Column("after", JSON(none_as_null=True)),
    sqlite_autoincrement=True,
)
