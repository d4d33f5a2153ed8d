"""The `routing` section of fastgate.yaml: which endpoint a call goes to, which cheaper model it may get, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import msgspec

from fastgate.config_rules import TEXT, Rule, rules_problem
from fastgate.strict import Check, Range

LATER: Mapping[str, str] = {
    "hedge_ms": "hedged attempts",
}

MODEL = msgspec.Meta(min_length=1, max_length=256)


class Routing(msgspec.Struct, frozen=True, kw_only=True):
    """Which endpoint a call goes to, which cheaper model it may get, and why."""

    LATER: ClassVar[Mapping[str, str]] = LATER

    strategy: Literal["priority", "cheapest", "weighted", "latency", "cheapest-within-latency"] = "priority"
    """Which endpoint a conversation begins at. priority: the first healthy one in order. cheapest: where its turns are
    expected to cost least. weighted: as their weights share out sessions. latency: the one whose streams begin
    soonest. cheapest-within-latency: the cheapest of those that begin within `latency_ms`. A session then stays
    (docs/routing.md)."""
    latency_ms: Annotated[int, Range(1, 600_000)] = 3000
    """cheapest-within-latency: the longest mean time to a stream's first byte that is good enough."""
    cascade: Annotated[tuple[Annotated[str, MODEL], ...], msgspec.Meta(max_length=32)] = (
        "claude-opus-*",
        "claude-sonnet-*",
        "claude-haiku-*",
    )
    """Models from the dearest on, ids or globs. A call that has to become cheaper goes to the next one down that its
    key may use; for a glob that is the newest listed model which fits it."""
    cascade_on: tuple[Literal["budget", "throttled"], ...] = ("budget",)
    """What makes a call go down the cascade. budget: a budget's downgrade stage, or a ceiling under which the call as
    asked does not fit any more. throttled: every endpoint of its model says that it is overloaded or limits the rate.
    """
    rules: Annotated[tuple[Rule, ...], Check(rules_problem)] = ()
    """When a call gets another model, whatever its budgets say; the first rule that holds decides (docs/ladder.md)."""
    models: tuple[Annotated[str, TEXT], ...] = ()
    """Keys, as globs, whose requests may name more models in `models`, to be tried in order where theirs fails
    (docs/routing.md). A request of another key that does is refused."""
    opt_out: tuple[Annotated[str, TEXT], ...] = ()
    """Keys, as globs, whose calls keep the model they ask for: no rule and no cascade changes it. Where a budget does
    not pay for that, they are refused."""
