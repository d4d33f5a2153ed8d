"""The choice of an endpoint, timed: a conversation that goes on, whose cache is warm at one of three healthy ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.load import payloads
from bench.micro.cases import Call, case

SESSION = "7f3d1c52-0a44-4b0e-9f6d-2c8e5b7a9d10"


def _planned(folder: Path, endpoints: int, strategy: str = "priority") -> Any:
    """A call whose conversation is known, before its candidates are looked for."""
    from fastgate import call, snapshot
    from fastgate._core.head import read_head
    from fastgate._core.request import read_request
    from fastgate._core.usage import Usage
    from fastgate._core.warmth import WarmthTable
    from fastgate.prices.catalog import compile_prices
    from fastgate.prices.settings import PriceSettings
    from fastgate.routing.health import HealthTable
    from fastgate.routing.router import Router

    limits = snapshot.Limits(32 << 20, 30.0, 5.0, 30.0, 30.0, 15.0, 10.0, 55.0, "seen")
    each = [
        snapshot.Endpoint(f"e{n}", "anthropic", "http://127.0.0.1:9", "k", "x-api-key", "2023-06-01", False, "")
        for n in range(endpoints)
    ]
    data = snapshot.SnapshotData(
        generation=1,
        version="bench",
        headers=snapshot.HeaderNames(),
        limits=limits,
        endpoints=tuple(each),
        keys=[],
        prices=compile_prices(PriceSettings()),
        routing=snapshot.RoutingRow(strategy=strategy),
    )
    view = snapshot.Snapshot(data)
    if endpoints > 1:
        view.router = Router(view, WarmthTable.open(folder / "warmth"), HealthTable(folder / "health"))
    made = call.Call(1, "bench", view, "messages", None, "")  # type: ignore[arg-type]  # nothing is answered
    made.head = read_head([("host", "127.0.0.1"), ("x-claude-code-session-id", SESSION)])
    made.body, made.session = payloads.large(stream=True), SESSION
    made.request = read_request(made.body)
    made.principal = snapshot.KeyRow(b"", "alice-laptop", "alice", "platform", "acme", "", {}, (), 0)
    if endpoints > 1:
        usage = Usage.of(cache_read_tokens=178_000, cache_write_5m_tokens=1500, output_tokens=900)
        where = (view.router.numbers["e1"], made.model_used, made.request.system_end - made.request.system_start)
        view.router.warmth.learn("alice-laptop", SESSION, "", "", *where, len(made.body), made.at_ns, usage)
    return made


@case("route", "one endpoint")
def _(folder: Path) -> Call:
    from fastgate.gateway.rooms.route import plan

    made = _planned(folder, 1)
    return lambda: plan(made)


@case("route", "three healthy endpoints, priced")
def _(folder: Path) -> Call:
    from fastgate.gateway.rooms.route import plan

    made = _planned(folder, 3, "cheapest")
    return lambda: plan(made)


@case("route", "what an answer teaches")
def _(folder: Path) -> Call:
    from fastgate._core.usage import Usage

    made = _planned(folder, 3)
    router = made.snapshot.router
    usage = Usage.of(cache_read_tokens=178_000, cache_write_5m_tokens=1500, output_tokens=900)
    where = (router.numbers["e1"], made.model_used, 6000)
    learn = router.warmth.learn
    return lambda: learn("alice-laptop", SESSION, "", "main", *where, len(made.body), made.at_ns, usage)
