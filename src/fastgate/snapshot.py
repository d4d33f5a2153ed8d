"""The immutable compiled view of configuration and directory that the data plane works from.

The control plane compiles a `SnapshotData`, writes it to one file and bumps the board's generation; each worker
decodes it into a `Snapshot` and swaps `current`. A call reads `current` once, so no call ever sees two configurations.
Knows nothing of YAML, SQL or HTTP.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal, NamedTuple

import msgspec

from fastgate._core.money import PriceRow
from fastgate.headers import HeaderSet
from fastgate.periods import Period
from fastgate.prices.book import PriceBook, PriceData
from fastgate.snapshot_cache import CachePolicy, PromptPolicy


class HeaderNames(msgspec.Struct, frozen=True):
    """`prefix` carries every response header; `also` repeats the five classic ones under further prefixes."""

    prefix: str = "x-fastgate"
    also: tuple[str, ...] = ()


class Limits(msgspec.Struct, frozen=True):
    """The data plane's limits, copied from the configuration (fastgate.config.Limits documents each)."""

    body_bytes: int
    body_s: float
    connect_s: float
    first_byte_s: float
    idle_s: float
    ping_s: float
    drain_s: float
    keepalive_s: float
    unknown_usage: str
    """seen | bound: what a call costs whose provider never stated its usage."""
    total_s: float = 3600.0
    body_bytes_per_s: int = 1024
    calls_in_flight: int = 8192
    budget_wait_ms: int = 2000
    min_output_tokens: int = 8192
    server_tool_tokens: int = 1_000_000
    attempts: int = 3
    retry_s: float = 30.0
    hold_s: float = 5.0


class Endpoint(msgspec.Struct, frozen=True):
    """One upstream. `api_key` is as written in the configuration: `${VAR}` is resolved by the worker, so that no
    secret of the environment is ever written to disk."""

    name: str
    kind: str
    base_url: str
    api_key: str
    auth: str
    """x-api-key | bearer"""
    anthropic_version: str
    pin_version: bool
    ca_file: str
    region: str = ""
    project: str = ""
    resource: str = ""
    scope: str = ""
    """Of Bedrock's inference profiles: global, us, eu …, none; empty: by the region."""
    profile: str = ""
    credentials_file: str = ""
    command: tuple[str, ...] = ()
    """Prints the credential."""
    models: dict[str, str] = {}
    """This endpoint's ids by model or family; `models_only`: it serves no other."""
    models_only: bool = False
    betas: tuple[str, ...] | None = None
    """Globs of betas that are sent on; None: the kind's own list."""
    fields: dict[str, Literal["keep", "drop", "refuse"]] = {}
    """What is done about fields that it may not take, before the kind's own rules."""
    priority: int = 0
    """Lower goes first."""
    weight: int = 1
    key: str = ""
    """Which of the endpoint's keys this is, where it has several: then each is an endpoint of its own here, with its
    part of the endpoint's weight."""
    key_weight: int = 1
    """Its share among the endpoint's keys."""
    limits: tuple[int, int, int] = (0, 0, 0)
    """Of the key: requests a minute, tokens a minute, calls in flight; 0 is no limit."""


class KeyRow(msgspec.Struct, frozen=True, array_like=True, dict=True):
    """One accepted secret of a virtual key; a key in rotation has two rows, the older with `not_after_ns`."""

    digest: bytes
    """HMAC-SHA-256(pepper, SHA-256(secret)), 32 bytes."""
    key: str
    user: str
    team: str
    org: str
    cost_center: str
    tags: dict[str, str]
    models: tuple[str, ...]
    """Globs of allowed model ids; empty allows all."""
    not_after_ns: int
    """Wall time after which the secret is refused; 0 is never."""
    open_tags: tuple[str, ...] = ()
    """Tag names that the client may set with `x-fastgate-tag-NAME`."""
    cache_overrides: bool = True
    """Whether the client may use the cache's request headers."""
    given: tuple[tuple[str, str], ...] = ()
    """Of a row made for calls whose client set tags itself: those, which are among `tags` too. Empty in what is
    published."""

    @cached_property
    def packed(self) -> bytes:
        """Whose calls these are, as their records and notes say it: org, team, user, key, cost centre and tags, one
        after the other in MessagePack."""
        return packed(self.org, self.team, self.user, self.key, self.cost_center, self.tags)


def packed(*fields: str | dict[str, str]) -> bytes:
    """MessagePack of fields that stand among others, at most fifteen."""
    return encode(fields)[1:]


BudgetLevel = Literal["org", "team", "user", "key", "tag"]
StageAction = Literal["alert", "downgrade", "pause"]


class Raise(NamedTuple):
    """An approved temporary increase of a budget, or of one of its cells."""

    nano: int
    not_after_ns: int
    """Wall time at which it ends."""
    cell: str = ""
    """The member or tag value whose cell alone it raises; empty raises each."""


class BudgetRow(msgspec.Struct, frozen=True, array_like=True):
    """One budget. What it selects and how its period runs never changes under one (`id`, `created_ns`); amount, mode,
    stages and increases may. A budget that was removed and made again has another `created_ns` and is counted anew.
    fastgate.budgets says what a row selects and allows, fastgate.periods when its period begins and ends."""

    id: str
    org: str
    """The org that its level's subject belongs to, at every level."""
    level: BudgetLevel
    of: str
    """The id of the org, team, user or key; of a tag `NAME=VALUE`, or `NAME=*` where each value has its own cell."""
    per_seat: bool
    """Each member has a cell: the user, or the key where no user is behind it."""
    models: tuple[str, ...]
    """Families (`opus`) or globs of the models it selects; empty selects all."""
    period: Period
    rolling_h: int
    """Length of a rolling window in hours; 0 for other periods."""
    tz: str
    start_day: int
    usd_nano: int
    """The limit."""
    hard: bool
    """Whether it has a ceiling that nothing passes."""
    stages: tuple[tuple[int, StageAction], ...]
    """(parts per million of the limit, what happens there), in rising order."""
    increases: tuple[Raise, ...]
    created_ns: int


class RateRow(msgspec.Struct, frozen=True, array_like=True):
    """Limits of one key, user or team; `of` is empty for those of every key that has none of its own. 0 is no limit,
    None says nothing."""

    level: Literal["key", "user", "team"]
    of: str
    requests_per_minute: int | None
    tokens_per_minute: int | None
    parallel_calls: int | None


class PauseRow(msgspec.Struct, frozen=True, array_like=True):
    """A stop by hand of everything that an org, team, user, key or tag selects, until `until_ns` (0: until resumed)."""

    level: BudgetLevel
    of: str
    """As in BudgetRow."""
    org: str
    reason: str
    by: str
    since_ns: int
    until_ns: int


class GuardScope(msgspec.Struct, frozen=True, array_like=True):
    """Whom a guard is for: every part that is not empty must name the caller. `tags`: values are globs."""

    orgs: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    tags: dict[str, str] = {}


class GuardException(msgspec.Struct, frozen=True, array_like=True):
    """A finding of a rule that is let through until `until_ns` (0: for ever); `match` is its keyed hash, or any."""

    rule: str
    owner: str
    until_ns: int = 0
    match: str = ""
    scope: GuardScope | None = None


class GuardRow(msgspec.Struct, frozen=True, array_like=True):
    """One family of guards in use (fastgate.guards.settings.Guard documents each)."""

    use: str
    action: str
    severity: dict[str, str] = {}
    rules: tuple[str, ...] = ()
    on: tuple[str, ...] = ()
    scope: GuardScope | None = None
    fail: str = "open"
    shadow: bool = False
    settings: dict[str, Any] = {}
    exceptions: tuple[GuardException, ...] = ()
    url: str = ""
    api_key: str = ""
    """As it was written: `${VAR}` is resolved by the worker."""
    credentials_file: str = ""
    command: tuple[str, ...] = ()
    profile: str = ""
    timeout_ms: int = 2000
    parallel: int = 16


class RoutingRow(msgspec.Struct, frozen=True):
    """How one of several endpoints is chosen (fastgate.config_routing documents each)."""

    strategy: str = "priority"
    latency_ms: int = 3000
    models: tuple[str, ...] = ()


class RuleRow(msgspec.Struct, frozen=True, array_like=True):
    """One rule of the ladder (fastgate.config_rules.When documents each condition); None, empty: it does not ask."""

    to: str
    """A model's id."""
    stage: str = ""
    input_tokens: tuple[int | None, int | None] = (None, None)
    """More than, fewer than."""
    new_input_tokens: tuple[int | None, int | None] = (None, None)
    request_class: tuple[str, ...] = ()
    model: str = ""
    tools: bool | None = None
    tool_use: bool | None = None
    bounded_edit: bool | None = None
    hours: tuple[int, int] | None = None
    """Minutes of the day, from and to."""
    days: tuple[str, ...] = ()
    tz: str = "UTC"
    who: dict[str, str] = {}
    """Globs on org, team, user, key, cost_center."""
    tags: dict[str, str] = {}


class SnapshotData(msgspec.Struct, frozen=True):
    """What the control plane publishes. `version` digests the content: the policy version of headers and records."""

    generation: int
    version: str
    headers: HeaderNames
    limits: Limits
    endpoints: tuple[Endpoint, ...]
    keys: list[KeyRow]
    prices: PriceData
    budgets: tuple[BudgetRow, ...] = ()
    pauses: tuple[PauseRow, ...] = ()
    rates: tuple[RateRow, ...] = ()
    cache: CachePolicy | None = None
    owners: dict[str, str] = {}
    """Who answers for a cost centre, where the directory names somebody: whom a refusal says to ask."""
    cascade: tuple[tuple[str, str], ...] = ()
    """From the dearest on: (glob of the models that stand here, the one a call is sent to that comes from above).
    Empty where budgets may not change models."""
    throttled: tuple[tuple[str, str], ...] = ()
    """The same steps, where a throttled model may be left; else empty."""
    rules: tuple[RuleRow, ...] = ()
    opt_out: tuple[str, ...] = ()
    """Globs of the keys whose calls keep their model."""
    guards: tuple[GuardRow, ...] = ()
    routing: RoutingRow = RoutingRow()
    prompt: PromptPolicy | None = None
    """None where no mark is ever placed."""


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(SnapshotData).decode


class Snapshot:
    """What one call sees: `principals` by key digest, `endpoints` by preference, `prices` ready to multiply; `cache` is
    None where nothing is cached.

    `served` are the models asked for so far, each with the endpoint and the price that it gets where nothing chooses:
    the room route fills it. `accepted` are the secrets seen so far that belong to a principal, at most one for each:
    identity fills it.
    `pauses` is None while nothing is paused by hand, `rates` while nobody's rate is limited, `budgets` while there are
    none.
    `guards` are fastgate.guards' (the worker builds them), None where nothing is to be looked for; `router` is
    fastgate.routing's, None where there is one endpoint and nothing to choose, `ladder` where no model ever changes.
    `plain` is set where there is one endpoint, and neither a rule nor a cache says that a call goes another way.

    snapshot.pxd beside this file gives the fields their C types: every call reads a dozen of them.
    """

    def __init__(self, data: SnapshotData) -> None:
        self.data = data
        self.generation = data.generation
        self.version = data.version
        self.headers = HeaderSet(data.headers.prefix, data.headers.also, data.version)
        self.limits = data.limits
        self.endpoints = data.endpoints
        self.principals = {row.digest: row for row in data.keys}
        self.accepted: dict[str, KeyRow] = {}
        self.tagged: dict[tuple[bytes, tuple[tuple[str, str], ...]], KeyRow] = {}
        self.prices = PriceBook(data.prices)
        self.served: dict[str, tuple[Endpoint, PriceRow]] = {}
        self.pauses = data.pauses or None
        self.rates: dict[tuple[str, str], RateRow] | None = {(row.level, row.of): row for row in data.rates} or None
        self.cache = data.cache
        self.prompt = data.prompt
        self.budgets = data.budgets or None
        self.guards: Any = None
        self.router: Any = None
        self.ladder: Any = None
        self.plain = False


current: Snapshot
"""The snapshot in force in this process. Unset until the worker has loaded its first one."""
