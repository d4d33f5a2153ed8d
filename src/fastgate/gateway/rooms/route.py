"""Route: which endpoints may serve this call, in order, and at what price. In this version: the configured order."""

from __future__ import annotations

from fastgate.bound import bound_nano
from fastgate.call import Call, Candidate
from fastgate.errors import GatewayError, Kind, endpoint_down, model_not_allowed


def plan(call: Call) -> list[Candidate]:
    """The candidates to try, best first, each with its price and the most this call can cost there."""
    snapshot, request = call.snapshot, call.request
    assert request is not None
    if not snapshot.endpoints:
        raise endpoint_down(Kind.NO_ENDPOINT, "No endpoint is configured on this gateway.")
    prices, model = snapshot.prices, request.model
    candidates = []
    for endpoint in snapshot.endpoints:
        row, known = prices.lookup(endpoint.kind, model)
        if not known and prices.refuse_unknown:
            raise unpriced(model)
        candidates.append(
            (endpoint, row, bound_nano(request, row, request.max_tokens) if call.route == "messages" else 0)
        )
    return candidates


def unpriced(model: str) -> GatewayError:
    error = model_not_allowed(model, ())
    error.message = f"Model {model} has no known price, and this gateway refuses unpriced models."
    return error
