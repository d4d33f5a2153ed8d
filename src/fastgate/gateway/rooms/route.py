"""Route: which endpoints may serve this call, in order, and at what price. In this version: the configured order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastgate.call import Call, Candidate
from fastgate.errors import GatewayError, Kind, endpoint_down, model_not_allowed

if TYPE_CHECKING:
    from fastgate._core.money import PriceRow
    from fastgate._core.request import RequestView

IMAGE_TOKENS_MAX = 5_000
"""Most tokens one image may cost, whatever its size (Anthropic's high-resolution cap is 4,784)."""

CONTEXT_TOKENS_MAX = 1_000_000
"""The largest context window; bounds what URL and file documents and server tools may add to the input."""

OUTPUT_TOKENS_MAX = 128_000
"""Assumed where a call names no max_tokens: the largest output of any model."""

OUTPUT_TOKENS_LIMIT = 10_000_000
"""No model writes so much: a larger max_tokens bounds nothing, and its price would not fit 64 bits."""

SERVER_TOOL_USES_MAX = 16
"""Server tool uses that a bound allows for; Claude Code asks for at most 8 (`max_uses`)."""


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
        candidates.append((endpoint, row, bound_nano(request, row) if call.route == "messages" else 0))
    return candidates


def bound_nano(request: RequestView, row: PriceRow) -> int:
    """The worst case. A token is at least one byte of text; what is not text has a cap of its own."""
    input_tokens = request.text_bytes
    uses = 0
    if request.image_count:
        input_tokens += request.image_count * IMAGE_TOKENS_MAX
    if request.document_count or request.has_server_tools:
        input_tokens += CONTEXT_TOKENS_MAX
        uses = SERVER_TOOL_USES_MAX
    return row.bound(input_tokens, min(request.max_tokens or OUTPUT_TOKENS_MAX, OUTPUT_TOKENS_LIMIT), uses)


def unpriced(model: str) -> GatewayError:
    error = model_not_allowed(model, ())
    error.message = f"Model {model} has no known price, and this gateway refuses unpriced models."
    return error
