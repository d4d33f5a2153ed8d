"""The journal's record of one finished call: what every later view (usage, spend, audit, traces) is made of.

Shapes only. Encoded as a MessagePack array, so fields are only ever appended, each with a default.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Outcome = Literal["ok", "upstream_error", "client_gone", "refused", "cancelled", "recovered"]
"""ok: a complete answer was relayed. upstream_error: the provider failed or refused it. client_gone: the client left
first. refused: the gateway's own answer (no money moved). cancelled: the worker drained it. recovered: the worker died
and the flight table told what had been seen."""

UsageState = Literal["exact", "partial", "missing", "none"]
"""exact: the provider stated final usage. partial: a floor from what was seen. missing: an answer came without usage
and the bound was charged. none: nothing was sent upstream, or the route is free."""


class Usage(msgspec.Struct, frozen=True, array_like=True):
    """Disjoint token classes of one call; `server_tools` counts uses by tool name."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    cache_read_tokens: int = 0
    server_tools: dict[str, int] = {}


class Attempt(msgspec.Struct, frozen=True, array_like=True):
    """One try at one endpoint (`endpoint/key` where it has several keys): how it ended and what it may have cost.
    `status` is 0 when no head came."""

    endpoint: str
    model: str
    status: int
    error: str
    duration_us: int
    cost_nano: int = 0


class Verdict(msgspec.Struct, frozen=True, array_like=True):
    """What became of one finding of a guard. The match itself is never kept, only a keyed hash of it."""

    rule: str
    action: str
    """block, redact, log, not_scanned"""
    kind: str
    """What was looked at (fastgate.guards.rule.Kind), or media."""
    path: str
    """Where: `messages[4].content[0]`."""
    match: str = ""
    note: str = ""
    """`shadow:ACTION`: what would have been done. `exception:OWNER`: who let it through."""


class Offer(msgspec.Struct, frozen=True, array_like=True):
    """One place that could serve a call, as routing.choice looked at it."""

    place: str
    """`endpoint`, or `endpoint/key`."""
    model: str
    """Empty where it is the first offer's."""
    healthy: bool
    warm_tokens: int
    price_nano: int
    """Expected of this turn, and of each turn after it."""
    later_nano: int
    latency_us: int
    """Mean time to the first byte of a stream, 0 where it was not known."""
    rank: int
    weight: int
    key_weight: int = 1
    """Its share among the keys of its endpoint."""


class Decision(msgspec.Struct, frozen=True, array_like=True):
    """Why a call went where it went: all that routing.choice decided on, so that it can be asked again."""

    strategy: str
    expected: tuple[int, int, int, int]
    """Tokens of the prompt, of it new in a later turn, of output; flags: 1 cached, 2 for an hour, 4 fast, 8 US only."""
    state: tuple[int, bool, int, int]
    """Turns expected while the cache is warm, whether it may still be, the point that weights pick by, and the longest
    latency that is good enough, in microseconds."""
    home: str
    """Where the conversation was before; empty for a new one."""
    home_at: int
    """The offer that is its home, -1 without one, -2 where none of them is."""
    reason: str
    """new, home, cold, unhealthy, gone or cheaper."""
    order: tuple[int, ...]
    offers: tuple[Offer, ...]


class Broke(msgspec.Struct, frozen=True, kw_only=True):
    """What a call lost of the prompt cache and why. `cause`: tools, system or messages (a block of it changed), model,
    endpoint, expired, unmarked (no cache_control is left), lookback (more new blocks than the provider looks back) or
    provider (nothing of the prompt changed). `block`, `kind` and `byte` (where it begins in the request) name the first
    block that changed."""

    cause: str
    lost_tokens: int
    cost_nano: int
    block: str = ""
    kind: str = ""
    byte: int = -1


class Judgement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`expected_read` is how many tokens the call before left in the provider's cache; None where none is known.
    `placed_nano` is what marks that the gateway placed were expected to save; 0 where it placed none."""

    expected_read: int | None = None
    broke: Broke | None = None
    placed_nano: int = 0


class Placed(msgspec.Struct, frozen=True, array_like=True):
    """Marks for the provider's prompt cache that the gateway put into the call (fastgate.routing.marks)."""

    what: str
    """breakpoints, or hour."""
    expected_nano: int
    """What they were expected to save, with the turn after it."""


class Step(msgspec.Struct, frozen=True, array_like=True):
    """What the ladder decided about one call, and what it looked at (fastgate.routing.ladder)."""

    rule: int
    """Its place in `routing.rules`, from 0; -1: a budget's stage, -2: under a ceiling, -3: away from a throttled model,
    -4: to one that the request names."""
    asked: str
    to: str
    kept: str
    """Why the call was not moved: dearer, open-thinking, shape, context, not-allowed, not-served; empty where it was.
    """
    stay_nano: int
    move_nano: int
    """Expected price of this turn, each with its warm prompt cache; 0 where that was no question."""
    stage: str
    input_tokens: int
    new_input_tokens: int
    tool_use: int
    bounded_edit: int
    """-1 where no rule has looked."""


class Sighting(msgspec.Struct, frozen=True, array_like=True):
    """A text that was new in a call: what an auditor asks for who wants to know whether a model saw a file."""

    kind: int
    """Index into fastgate.guards.rule.KINDS."""
    path: str
    """The file that a tool was told to read, else empty."""
    marks: bytes
    """A keyed hash of the SHA-256 of the text, in each reading of it (fastgate.guards.sightings), 16 bytes each."""


class CallRecord(msgspec.Struct, frozen=True, array_like=True):
    """One finished call, in every outcome. Money is nano-dollars, times are UTC nanoseconds or microseconds."""

    id: str
    at_ns: int
    duration_us: int
    head_us: int
    """Time to the response head, 0 when none was sent."""
    org: str
    team: str
    user: str
    key: str
    cost_center: str
    tags: dict[str, str]
    session: str
    agent: str
    parent_agent: str
    request_class: str
    """main, subagent, workflow, compaction, auxiliary where the client says; else empty."""
    route: Literal["messages", "count_tokens"]
    model_asked: str
    model_used: str
    endpoint: str
    provider: str
    """The endpoint's kind: anthropic, bedrock, vertex, foundry, compatible; empty when none was reached."""
    status: int
    outcome: Outcome
    error: str
    """The error's kind (errors.Kind) or empty."""
    stream: bool
    cache: str
    guard: str
    routed: str
    usage: Usage
    usage_state: UsageState
    cost_nano: int
    cost_asked_nano: int
    """What it would have cost as it was asked for: `cost_nano + saved_nano`."""
    saved_nano: int
    """What a cache saved, or model and endpoint together (the last fields); negative where the change was dearer."""
    stages: list[str]
    policy: str
    attempts: list[Attempt]
    system_sha256: str
    tools: list[str]
    request_bytes: int
    response_bytes: int
    upstream_request_id: str
    stop_reason: str = ""
    namespace: str = ""
    """The partition of the cache that the client named."""
    cells: tuple[int, ...] = ()
    """The hard budgets' cells whose money was held for the call, by the ledger's numbers."""
    verdicts: tuple[Verdict, ...] = ()
    saved_downgrade_nano: int = 0
    """Of `saved_nano`, what another model than the one asked for has saved."""
    saved_arbitration_nano: int = 0
    """And what another endpoint than the first has. The rest is the cache's."""
    decision: Decision | None = None
    """Where there was a choice of endpoints."""
    prefix: bytes = b""
    """The prompt's blocks as a provider's prompt cache sees them (_core/prefix.pyi); empty for small ones, and where no
    provider was asked."""
    ladder: Step | None = None
    """Where a rule or a cascade wanted another model."""
    sightings: tuple[Sighting, ...] = ()
    placed: Placed | None = None

    @property
    def saved_cache_nano(self) -> int:
        return self.saved_nano - self.saved_downgrade_nano - self.saved_arbitration_nano
