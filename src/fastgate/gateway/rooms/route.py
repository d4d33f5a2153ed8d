"""Route: which endpoints may serve this call, in order, and at what price. In this version: the configured order."""

from __future__ import annotations

from fastgate.bound import bound_nano
from fastgate.call import Call, Candidate
from fastgate.errors import GatewayError, Kind, endpoint_down, model_not_allowed
from fastgate.providers.models import endpoint_model

RENAMING = frozenset(("bedrock", "vertex"))
"""Kinds that know models by other ids."""


def plan(call: Call) -> list[Candidate]:
    """The candidates to try, best first, each with its price and the most this call can cost there."""
    snapshot, request = call.snapshot, call.request
    assert request is not None
    if not snapshot.endpoints:
        raise endpoint_down(Kind.NO_ENDPOINT, "No endpoint is configured on this gateway.")
    prices, model = snapshot.prices, call.model_used
    candidates = []
    refused = False
    for endpoint in snapshot.endpoints:
        sent = endpoint_model(endpoint, model) if endpoint.models or endpoint.kind in RENAMING else model
        if not sent:
            continue
        kind = "vertex-global" if endpoint.region == "global" and endpoint.kind == "vertex" else endpoint.kind
        row, known = prices.lookup(kind, sent)
        if not known and prices.refuse_unknown:
            refused = True
            continue
        candidates.append(
            (endpoint, row, bound_nano(request, row, request.max_tokens) if call.route == "messages" else 0)
        )
    if not candidates:
        raise unpriced(model) if refused else model_not_served(model)
    return candidates


def model_not_served(model: str) -> GatewayError:
    error = model_not_allowed(model, ())
    error.message = f"No endpoint of this gateway serves model {model}."
    return error


def unpriced(model: str) -> GatewayError:
    error = model_not_allowed(model, ())
    error.message = f"Model {model} has no known price, and this gateway refuses unpriced models."
    return error
