"""Why a call goes where it goes, as the admin API and the command line are given it. Conventions as in shapes.py."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from fastgate.control.shapes import Step, Usd


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of the turn: the whole prompt, what of it is new where the most is warm, and the output."""

    prompt_tokens: int
    fresh_tokens: int
    output_tokens: int
    cache: Annotated[str, Meta(description="how new tokens are priced: none, 5m or 1h cache writes")]
    fast: bool
    us_geo: bool


class Offered(msgspec.Struct, frozen=True, kw_only=True):
    """One place that can serve the call, in the order in which it is tried."""

    place: str
    model: str
    healthy: bool
    home: bool
    warm_tokens: int
    new_tokens: int
    price: Usd
    later: Annotated[Usd, Meta(description="USD: each turn after this one")]
    whole: Annotated[Usd, Meta(description="USD: all turns expected while the cache is warm")]
    latency_ms: float | None
    priority: int
    weight: int


class Ladder(Step, frozen=True, kw_only=True):
    """Why the call got another model, or was kept. `replayed`: whether the recorded inputs give the same again, null
    where they were no question of rules or prices, or where the rules are others now."""

    why: str
    replayed: bool | None = None


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """`items` is empty where there was nothing to choose, and `why` says so. `call`, `endpoint` and `routed` are of a
    recorded call; `replayed` says whether its inputs give the same order and reason now."""

    why: str
    strategy: str = ""
    reason: str = ""
    home: str = ""
    turns: int = 1
    expected: Expected | None = None
    items: list[Offered] = []
    call: str = ""
    endpoint: str = ""
    routed: str = ""
    replayed: bool | None = None
    ladder: Ladder | None = None


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request that is not made: its body as a client would send it, and the headers that routing looks at."""

    request: Any
    key: str = ""
    session: str = ""
    agent: str = ""
    request_class: str = ""
    stage: Literal["", "alert", "downgrade", "pause"] = ""
