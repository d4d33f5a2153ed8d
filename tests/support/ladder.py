"""Calls before a ladder, without a gateway: a snapshot with rules, a router whose caches are warm as told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastgate._core.head import read_head
from fastgate._core.request import read_request
from fastgate._core.usage import Usage
from fastgate._core.warmth import WarmthTable
from fastgate.call import Call
from fastgate.prices.catalog import compile_prices
from fastgate.prices.settings import PriceSettings
from fastgate.routing.health import HealthTable
from fastgate.routing.ladder import Ladder
from fastgate.routing.router import Router
from fastgate.snapshot import Endpoint, HeaderNames, KeyRow, RuleRow, Snapshot, SnapshotData
from tests.support.plane import LIMITS, endpoint

OPUS, SONNET, HAIKU = "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"
CASCADE = (("claude-opus-*", OPUS), ("claude-sonnet-*", SONNET), ("claude-haiku-*", HAIKU))
PRICES = compile_prices(PriceSettings())
SYSTEM = [{"type": "text", "text": "You are a coding assistant.", "cache_control": {"type": "ephemeral"}}]


class Stand:
    """One snapshot, its ladder and its router, over `endpoints`."""

    def __init__(
        self,
        folder: Path,
        rules: Sequence[RuleRow] = (),
        *,
        endpoints: Sequence[Endpoint] = (endpoint("http://127.0.0.1:9", "a"),),
        **more: Any,
    ) -> None:
        fields: dict[str, Any] = {"cascade": CASCADE, "throttled": CASCADE} | more
        data = SnapshotData(1, "v", HeaderNames(), LIMITS, tuple(endpoints), [], PRICES, rules=tuple(rules), **fields)
        self.snapshot = Snapshot(data)
        self.warmth = WarmthTable.open(folder / "warmth", 64)
        self.router = self.snapshot.router = Router(self.snapshot, self.warmth, HealthTable(folder / "health"))
        self.ladder = self.snapshot.ladder = Ladder(data)

    def call(
        self, text: str = "hello", model: str = OPUS, *, session: str = "s", models: tuple[str, ...] = (),
        headers: dict[str, str] | None = None, **body: Any,
    ) -> Call:  # fmt: skip
        """A call as it stands before the ladder."""
        made = Call(1, "test", self.snapshot, "messages", None, None)  # type: ignore[arg-type]  # nothing is answered
        named = {"host": "127.0.0.1", "x-claude-code-session-id": session, **(headers or {})}
        made.head = read_head(list(named.items()))
        fields = {"model": model, "messages": [{"role": "user", "content": text}], "system": SYSTEM, "max_tokens": 4000}
        made.body, made.session = json.dumps(fields | body).encode(), session
        made.request = read_request(made.body)
        made.principal = KeyRow(b"", "alice-laptop", "alice", "platform", "acme", "CC-1", {"p": "shop"}, models, 0)
        return made

    def learn(self, call: Call, usage: Usage, name: str = "a") -> None:
        """`call` has been answered by the endpoint of that name, with this usage."""
        assert call.request is not None
        assert call.principal is not None
        where = (self.router.numbers[name], call.model_used, call.request.system_end - call.request.system_start)
        self.warmth.learn(
            call.principal.key, call.session, "", "", *where, len(call.body), call.at_ns, usage
        )  # fmt: skip
