"""Three ways to send the same trace: the gateway's own, one that knows no sessions, one that looks at list prices."""

from __future__ import annotations

import json
import random
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from bench.fleet.provider import Caches, Outages
from bench.fleet.trace import HAIKU, OPUS, SECOND, SONNET, Turn
from fastgate import snapshot
from fastgate._core.head import read_head
from fastgate._core.request import read_request
from fastgate._core.warmth import WarmthTable
from fastgate.call import Call
from fastgate.prices.catalog import compile_prices
from fastgate.prices.settings import PriceOverride, PriceSettings
from fastgate.record import Decision, Step
from fastgate.routing import router as routing
from fastgate.routing.health import HealthTable
from fastgate.routing.ladder import Ladder
from fastgate.routing.ladder_replay import replay_rule
from fastgate.routing.replay import replay

MIDNIGHT_NS = 1_795_737_600 * SECOND
"""2026-11-27, in UTC."""
MORNING_NS = MIDNIGHT_NS + 9 * 3600 * SECOND

PRICES = compile_prices(
    PriceSettings(overrides=[PriceOverride(model="claude-*", kind="foundry", multiply=Decimal("0.9"))])
)
"""List prices; the third endpoint's owner has negotiated a tenth off."""

RULES = (
    snapshot.RuleRow(to=HAIKU, request_class=("auxiliary",)),
    snapshot.RuleRow(to=SONNET, model=OPUS, request_class=("subagent",)),
    snapshot.RuleRow(to=HAIKU, new_input_tokens=(None, 500)),
)
"""Titles and the like; sub-agents; and the classic trap: turns that bring little new go to the cheapest model."""

LIMITS = snapshot.Limits(32 << 20, 30.0, 5.0, 30.0, 30.0, 15.0, 10.0, 55.0, "seen")

STEP_TOKENS = 500
"""Bodies are made once for so many tokens: their length is what the router looks at."""
BYTES_PER_TOKEN = 4


def endpoints() -> tuple[snapshot.Endpoint, ...]:
    def one(name: str, kind: str, **more: Any) -> snapshot.Endpoint:
        return snapshot.Endpoint(name, kind, "http://127.0.0.1:9", "k", "x-api-key", "2023-06-01", False, "", **more)

    return one("anthropic", "anthropic"), one("bedrock", "bedrock", region="eu-central-1"), one("foundry", "foundry")


class Bodies:
    """Requests of a length, shared by all calls: the router asks for length, model and marks of caching."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, int, bool], tuple[bytes, Any]] = {}

    def get(self, turn: Turn) -> tuple[bytes, Any]:
        size = -(-turn.prompt // STEP_TOKENS)
        at = (turn.model, size, turn.caches)
        found = self._made.get(at)
        if found is None:
            mark = {"cache_control": {"type": "ephemeral"}} if turn.caches else {}
            system = [{"type": "text", "text": "x", **mark}]
            text = "x" * (size * STEP_TOKENS * BYTES_PER_TOKEN - 300)
            body = json.dumps({
                "model": turn.model, "max_tokens": 32000, "system": system,
                "messages": [{"role": "user", "content": text}],
            }).encode()  # fmt: skip
            found = self._made[at] = (body, read_request(body))
        return found


class Bill:
    """What a policy has cost, and how it came about."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.nano = self.calls = self.read = self.prompt = self.failed = self.unserved = 0
        self.moves: Counter[str] = Counter()
        self.replayed = 0
        self.differing: list[str] = []


class Policy:
    """What is common: the endpoints' caches, breakers in virtual time, and attempts until one answers."""

    def __init__(self, name: str, folder: Path, outages: Outages, rules: tuple[snapshot.RuleRow, ...] = RULES) -> None:
        data = snapshot.SnapshotData(
            1, "fleet", snapshot.HeaderNames(), LIMITS, endpoints(), [], PRICES, rules=rules,
            routing=snapshot.RoutingRow(strategy="cheapest"),
        )  # fmt: skip
        self.snapshot = snapshot.Snapshot(data)
        folder.mkdir(parents=True, exist_ok=True)
        self.warmth = WarmthTable.open(folder / "warmth")
        self.router = self.snapshot.router = routing.Router(self.snapshot, self.warmth, HealthTable(folder / "health"))
        self.ladder = self.snapshot.ladder = Ladder(data)
        self.outages = outages
        self.caches = Caches()
        self.bill = Bill(name)

    def order(self, turn: Turn) -> tuple[str, list[routing.Place]]:
        """The model, and the places to try, best first."""
        raise NotImplementedError

    def answered(self, turn: Turn, model: str, place: routing.Place, usage: Any) -> None:
        """The turn has its answer."""

    def send(self, turn: Turn) -> None:
        now_ns = MORNING_NS + int(turn.at_s * SECOND)
        routing.mono_ns = lambda: now_ns  # type: ignore[assignment]  # virtual time
        model, places = self.order(turn)
        bill = self.bill
        bill.calls += 1
        bill.moves[model if model != turn.model else ""] += 1
        ready = [place for place in places if place.breaker.allows(now_ns)]
        for place in (*ready, *(place for place in places if place not in ready)):
            if self.outages.away(place.endpoint.name, turn.at_s):
                place.breaker.failed(now_ns)
                bill.failed += 1
                continue
            place.breaker.succeeded()
            usage = self.caches.use(place.endpoint.name, model, turn)
            bill.nano += place.row.cost(usage)
            bill.read += usage.cache_read_tokens
            bill.prompt += turn.prompt
            self.answered(turn, model, place, usage)
            return
        bill.unserved += 1

    def ruled(self, turn: Turn) -> str:
        """The model by the rules as they stand, without a look at prices."""
        for rule in RULES:
            _, below = rule.new_input_tokens
            if rule.request_class and turn.request_class not in rule.request_class:
                continue
            if (rule.model and rule.model != turn.model) or (below is not None and turn.prompt - turn.kept >= below):
                continue
            return rule.to
        return turn.model


class Ours(Policy):
    """The gateway's: ladder, router, warmth, and every decision asked again from what its record would hold."""

    def __init__(self, name: str, folder: Path, outages: Outages, rules: tuple[snapshot.RuleRow, ...] = RULES) -> None:
        super().__init__(name, folder, outages, rules)
        self.bodies = Bodies()
        self.call: Call | None = None

    def order(self, turn: Turn) -> tuple[str, list[routing.Place]]:
        call = self.call = self.made(turn)
        self.ladder.apply(call, str)
        model = call.model_used
        places = self.router.places(model)
        candidates = self.router.arrange(call, places)
        by_endpoint = {id(place.endpoint): place for place in places}
        self.check(call, turn)
        return model, [by_endpoint[id(endpoint)] for endpoint, *_ in candidates]

    def made(self, turn: Turn) -> Call:
        call = Call(1, "fleet", self.snapshot, "messages", None, None)  # type: ignore[arg-type]  # nothing is answered
        items = [("host", "fleet"), ("x-claude-code-session-id", turn.session)]
        items.append(("x-claude-code-request-class", turn.request_class))
        if turn.agent:
            items.append(("x-claude-code-agent-id", turn.agent))
        call.head, call.session = read_head(items), turn.session
        call.body, call.request = self.bodies.get(turn)
        call.at_ns = MORNING_NS + int(turn.at_s * SECOND)
        key = f"k{turn.developer}"
        call.principal = snapshot.KeyRow(b"", key, key, "team", "org", "", {}, (), 0)
        return call

    def answered(self, turn: Turn, model: str, place: routing.Place, usage: Any) -> None:
        call = self.call
        assert call is not None
        assert call.request is not None
        where = (place.number, model, call.request.system_end - call.request.system_start)
        who = (f"k{turn.developer}", turn.session, turn.agent, turn.request_class)
        self.warmth.learn(*who, *where, len(call.body), call.at_ns, usage)

    def check(self, call: Call, turn: Turn) -> None:
        """Both decisions again, from their recorded form."""
        bill = self.bill
        if call.decision is not None:
            decision = msgspec.msgpack.decode(msgspec.msgpack.encode(call.decision), type=Decision)
            bill.replayed += 1
            if replay(decision) != (decision.order, decision.reason):
                bill.differing.append(f"{turn}: {decision}")
        if call.ladder is not None:
            step = msgspec.msgpack.decode(msgspec.msgpack.encode(call.ladder), type=Step)
            bill.replayed += 1
            said = replay_rule(Recorded(call, step), self.ladder.rules)  # type: ignore[arg-type]  # what it reads of one
            if said != (step.rule, step.to, step.kept):
                bill.differing.append(f"{turn}: {step}")


class Recorded:
    """What a replay reads of a record."""

    def __init__(self, call: Call, step: Step) -> None:
        who = call.principal
        assert who is not None
        assert call.request is not None
        self.ladder, self.at_ns, self.tools = step, call.at_ns, list(call.request.tools)
        self.request_class, self.agent = call.head.request_class, call.head.agent
        self.org, self.team, self.user, self.key = who.org, who.team, who.user, who.key
        self.cost_center, self.tags = who.cost_center, who.tags


class StickyNone(Policy):
    """Each call to any healthy endpoint, as a load balancer does; rules as they stand."""

    def __init__(self, name: str, folder: Path, outages: Outages) -> None:
        super().__init__(name, folder, outages)
        self.draw = random.Random(7)  # of load, not of secrets

    def order(self, turn: Turn) -> tuple[str, list[routing.Place]]:
        model = self.ruled(turn)
        places = list(self.router.places(model))
        self.draw.shuffle(places)
        return model, places


class CheapestNaive(Policy):
    """Each call to the healthy endpoint with the lowest list price; rules as they stand."""

    def order(self, turn: Turn) -> tuple[str, list[routing.Place]]:
        model = self.ruled(turn)
        return model, sorted(self.router.places(model), key=lambda place: place.row.input_pico)
