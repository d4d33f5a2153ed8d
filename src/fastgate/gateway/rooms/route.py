"""Route: which endpoints may serve this call, in order, at what price, and the most the call can cost at each.

A lone endpoint is looked up here; where there is a choice, it is the router's (fastgate.routing).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastgate.bound import bound_nano
from fastgate.call import Call, Candidate
from fastgate.errors import GatewayError, Kind, endpoint_down, model_not_allowed
from fastgate.prices.book import MAX_MODEL_CHARS
from fastgate.providers.models import endpoint_model
from fastgate.routing.marks import place

if TYPE_CHECKING:
    from fastgate._core.money import PriceRow
    from fastgate.snapshot import Endpoint, Snapshot

MODELS_KEPT = 1024
"""Models whose endpoint and price are kept ready; a client that invents models must not fill memory."""

RENAMING = frozenset(("bedrock", "vertex"))
"""Kinds that know models by other ids."""


def plan(call: Call) -> list[Candidate]:
    """The candidates to try, best first, each with its price and the most this call can cost there."""
    snapshot = call.snapshot
    router = snapshot.router
    if router is None:
        candidates = lone(call)
    else:
        candidates = router.plan(call)
        if snapshot.prompt is not None and place(call, candidates, router, snapshot.prompt):
            candidates = router.plan(call)
    if not candidates:
        raise unserved(call)
    return candidates


def lone(call: Call) -> list[Candidate]:
    """The one endpoint, where it serves the model at a price that is known."""
    snapshot, request = call.snapshot, call.request
    assert request is not None
    model = call.model or request.model
    served = snapshot.served.get(model)
    if served is None:
        served = serving(snapshot, model)
        if served is None:
            return []
        if len(snapshot.served) >= MODELS_KEPT:
            snapshot.served.clear()
        if len(model) <= MAX_MODEL_CHARS:
            snapshot.served[model] = served
    endpoint, row = served
    bound = bound_nano(request, row, request.max_tokens, snapshot.limits) if call.route == "messages" else 0
    return [(endpoint, row, bound, model)]


def serving(snapshot: Snapshot, model: str) -> tuple[Endpoint, PriceRow] | None:
    """The first endpoint that serves the model, and its price there."""
    prices = snapshot.prices
    for endpoint in snapshot.endpoints:
        sent = endpoint_model(endpoint, model) if endpoint.models or endpoint.kind in RENAMING else model
        if not sent:
            continue
        kind = "vertex-global" if endpoint.region == "global" and endpoint.kind == "vertex" else endpoint.kind
        row, known = prices.lookup(kind, sent)
        if known or not prices.refuse_unknown:
            return endpoint, row
    return None


def learn(call: Call) -> None:
    """What a finished call says of where its conversation is warm."""
    router = call.snapshot.router
    router.learn(call)


def unserved(call: Call) -> GatewayError:
    """Why no endpoint can take the call."""
    snapshot, model = call.snapshot, call.model_used
    if not snapshot.endpoints:
        return endpoint_down(Kind.NO_ENDPOINT, "No endpoint is configured on this gateway.")
    error = model_not_allowed(model, ())
    if any(endpoint_model(endpoint, model) for endpoint in snapshot.endpoints):
        error.message = f"Model {model} has no known price, and this gateway refuses unpriced models."
    else:
        error.message = f"No endpoint of this gateway serves model {model}."
    return error
