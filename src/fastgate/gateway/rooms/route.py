"""Route: which endpoints may serve this call, in order, and at what price. In this version: the configured order."""

from __future__ import annotations

from fastgate.call import Call
from fastgate.errors import GatewayError, Kind, endpoint_down, model_not_allowed
from fastgate.snapshot import Endpoint

IMAGE_TOKENS_MAX = 5_000
"""Most tokens one image may cost, whatever its size (Anthropic's high-resolution cap is 4,784)."""

CONTEXT_TOKENS_MAX = 1_000_000
"""The largest context window; bounds what URL and file documents and server tools may add to the input."""

OUTPUT_TOKENS_MAX = 128_000
"""Assumed where a call names no max_tokens: the largest output of any model."""

SERVER_TOOL_USES_MAX = 16
"""Server tool uses that a bound allows for; Claude Code asks for at most 8 (`max_uses`)."""


def plan(call: Call) -> tuple[Endpoint, ...]:
    """The endpoints to try, best first. Fills the first one's price and bound."""
    endpoints = call.snapshot.endpoints
    if not endpoints:
        raise endpoint_down(Kind.NO_ENDPOINT, "No endpoint is configured on this gateway.")
    price_at(call, endpoints[0])
    return endpoints


def price_at(call: Call, endpoint: Endpoint) -> None:
    """Price this call at `endpoint`: the row, and the most the call can cost there."""
    request = call.request
    assert request is not None
    call.endpoint = endpoint
    quote = call.snapshot.prices.lookup(endpoint.kind, request.model)
    if not quote.known and call.snapshot.prices.refuse_unknown:
        raise unpriced(request.model)
    call.price = quote.row
    if call.route == "messages":
        call.bound_nano = bound_nano(call)


def bound_nano(call: Call) -> int:
    """The worst case. A token is at least one byte of text; what is not text has a cap of its own."""
    request, row = call.request, call.price
    assert request is not None and row is not None
    input_tokens = request.text_bytes + request.image_count * IMAGE_TOKENS_MAX
    uses = 0
    if request.document_count or request.has_server_tools:
        input_tokens += CONTEXT_TOKENS_MAX
        uses = SERVER_TOOL_USES_MAX
    return row.bound(input_tokens, request.max_tokens or OUTPUT_TOKENS_MAX, uses)


def unpriced(model: str) -> GatewayError:
    error = model_not_allowed(model, ())
    error.message = f"Model {model} has no known price, and this gateway refuses unpriced models."
    return error
