"""What the admin API and the command line are given: one struct a resource, the same for both.

Moments are RFC 3339 in UTC, money is a decimal string in USD with nine places; what does not apply is null.
"""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta

Item = TypeVar("Item")

Usd = Annotated[str, Meta(description="US dollars, decimal, nine places", pattern=r"^-?\d+\.\d{9}$")]
Moment = Annotated[str, Meta(description="RFC 3339, UTC")]


class Page(msgspec.Struct, Generic[Item], frozen=True):
    """One page of a listing; `next` is the cursor of the following one, null on the last."""

    items: list[Item]
    next: str | None = None


class Problem(msgspec.Struct, frozen=True):
    """One thing wrong with a file or a body. `line` counts from 1; 0 is the whole."""

    file: str
    line: int
    path: str
    message: str


class Org(msgspec.Struct, frozen=True):
    id: str
    name: str
    origin: str


class CostCenter(msgspec.Struct, frozen=True):
    id: str
    owner: str
    origin: str
    alerts: list[str] = []


class Team(msgspec.Struct, frozen=True):
    id: str
    org: str
    name: str
    cost_center: str | None
    open_tags: list[str]
    origin: str
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    parallel_calls: int | None = None


class User(msgspec.Struct, frozen=True):
    id: str
    team: str
    org: str
    name: str
    email: str
    cost_center: str | None
    origin: str
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    parallel_calls: int | None = None


class Secret(msgspec.Struct, frozen=True):
    """One secret of a key, without the secret. `hint` is how an issued one begins."""

    hint: str
    created: Moment
    ends: Moment | None


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A virtual key. `user` is null for a service key; `cost_center` is the one that applies."""

    id: str
    user: str | None
    team: str
    org: str
    cost_center: str | None
    tags: dict[str, str]
    models: list[str]
    open_tags: list[str]
    cache_overrides: bool
    """Whether its client may use the cache's request headers."""
    expires: Moment | None
    created: Moment
    revoked: Moment | None
    origin: str
    state: Literal["active", "expired", "revoked"]
    secrets: list[Secret]
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    parallel_calls: int | None = None


class IssuedKey(Key, frozen=True, kw_only=True):
    """A key with its new secret, which is shown this once."""

    secret: str

    def __repr__(self) -> str:
        return f"IssuedKey({self.id!r}, ***)"


class NewKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a new key is to be. Exactly one of `user` and `team` (a service key)."""

    id: str = ""
    user: str | None = None
    team: str | None = None
    tags: dict[str, str] = {}
    models: list[str] = []
    """Globs of allowed models; empty allows all."""
    open_tags: list[str] = []
    cache_overrides: bool = True
    """Whether its client may use the cache's request headers; otherwise they are ignored."""
    expires: str | None = None
    cost_center: str | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    parallel_calls: int | None = None


class Rotation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long the secrets before the new one still work."""

    overlap_s: int = 0


class Endpoint(msgspec.Struct, frozen=True):
    """One upstream. `api_key` is the reference as configured (`${VAR}`), or `(in the file)`: never a secret; `keys` are
    the same by name, where it has several."""

    name: str
    kind: str
    base_url: str
    api_key: str | None
    auth: str
    anthropic_version: str
    pin: bool
    keys: dict[str, str] = {}


class Change(msgspec.Struct, frozen=True):
    """One audited change. `before` and `after` hold the fields that differ."""

    seq: int
    at: Moment
    actor: str
    action: str
    kind: str
    id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class Applied(msgspec.Struct, frozen=True):
    """What applying a directory changed, or would change."""

    dry_run: bool
    changes: list[Change]
    warnings: list[Problem]


class Reloaded(msgspec.Struct, frozen=True):
    """A reload that succeeded. `needs_restart` lists what the file changes but only a start puts in force."""

    generation: int
    version: str
    changed: bool
    directory_changes: int
    warnings: list[Problem]
    needs_restart: list[str]


class DrainState(msgspec.Struct, frozen=True):
    draining: bool
    in_flight: int


class Worker(msgspec.Struct, frozen=True):
    """One data-plane process. `generation` is the snapshot it works with."""

    pid: int
    epoch: str
    started: Moment
    in_flight: int
    generation: int
    loop: str


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The running instance."""

    version: str
    started: Moment
    config: str
    state: str
    listen: str
    control: str
    supervisor_pid: int | None
    control_pid: int
    control_loop: str
    python: str
    workers_configured: int
    workers: list[Worker]
    in_flight: int
    draining: bool
    generation: int
    snapshot_version: str
    keys: int
    endpoints: int
    open_files: int
    limits: dict[str, Any]
    damaged_records: int
    """Places in the journal that cannot be read; the log names them."""


class Usage(msgspec.Struct, frozen=True):
    """Disjoint token classes; `server_tools` counts uses by tool."""

    input_tokens: int
    output_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    cache_read_tokens: int
    server_tools: dict[str, int]


class Attempt(msgspec.Struct, frozen=True):
    """One try at one endpoint. `status` is 0 when no head came."""

    endpoint: str
    model: str
    status: int
    error: str
    duration_ms: float
    cost: Usd


class Verdict(msgspec.Struct, frozen=True):
    """What became of one finding of a guard; `match` is a keyed hash of what was found."""

    rule: str
    action: str
    kind: str
    path: str
    match: str
    note: str


class PromptCacheBreak(msgspec.Struct, frozen=True, kw_only=True):
    """Why less was read from the provider's prompt cache than it had. `cause` is tools, system, messages, model,
    endpoint, expired, unmarked, lookback or provider; where something of the prompt changed, `block` names the first
    block that did, `kind` what it is and `byte` where it begins in the request. `cost` is what the lost tokens cost
    more than had they been read."""

    cause: str
    lost_tokens: int
    cost: Usd
    block: str
    kind: str
    byte: int | None


class PromptCache(msgspec.Struct, frozen=True, kw_only=True):
    """A call's use of the provider's prompt cache. `expected_read` is how many tokens the call before in its
    conversation left there; null where none is known. `placed` are marks that the gateway put in (breakpoints or
    hour; null for none), `placed_saves` what they were expected to save with the turn after it."""

    read_ratio: str
    expected_read: int | None
    broke: PromptCacheBreak | None
    placed: str | None
    placed_saves: Usd | None


class Step(msgspec.Struct, frozen=True):
    """What the ladder decided: `by` is a rule, `stage`, `ceiling`, `throttled` or
    `preferred` (the request names it); `kept` why the model stayed, empty where it did not; `stay` and `move` the
    expected prices of the turn, zero where they were no question."""

    by: str
    asked: str
    to: str
    kept: str
    stay: Usd
    move: Usd


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """A call in which a text was new: of its user, over all of a worker's life."""

    at: Moment
    call: str
    org: str
    team: str
    user: str
    key: str
    session: str
    kind: str
    """user_text, tool_result or document"""
    path: str
    """The file that a tool was told to read; empty where the text came otherwise."""
    outcome: str
    endpoint: str
    """Empty where the call reached no provider: later calls of the conversation may have."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One finished call."""

    id: str
    at: Moment
    org: str
    team: str
    user: str
    key: str
    tags: dict[str, str]
    cost_center: str
    session: str
    agent: str
    model_asked: str
    model_used: str
    endpoint: str
    status: int
    outcome: str
    stream: bool
    cache: str
    guard: str
    routed: str
    usage: Usage
    prompt_cache: PromptCache | None
    cost: Usd
    cost_asked: Usd
    saved: Usd
    saved_by: dict[str, Usd]
    """By cause: cache, downgrade, arbitration."""
    stages: list[str]
    policy: str
    attempts: list[Attempt]
    system_sha256: str
    tools: list[str]
    ladder: Step | None
    """Where a rule or a cascade wanted another model."""
    verdicts: list[Verdict]


class Spend(msgspec.Struct, frozen=True):
    """Sums by group, dearest first. Each item names its group's dimensions, then calls, cost, cost_asked, saved,
    saved_by (cache, downgrade and arbitration, which add up to saved), cache_hits of cache_asked calls as hit_ratio,
    usage and, where a forecast was asked for, `forecast`: from, to, expected, low, high, days, method. `total` has the
    same without a group."""

    items: list[dict[str, Any]]
    total: dict[str, Any]
    next: str | None = None


class ErrorDetail(msgspec.Struct, frozen=True):
    type: str
    message: str
    problems: list[Problem] = []


class ErrorBody(msgspec.Struct, frozen=True, tag_field="type", tag="error"):
    """Every error of the API, in the same shape as the data plane's."""

    error: ErrorDetail
    request_id: str
