"""Answers: the one place that writes a response head, a stream's closing line and an error's body (contract §4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fastgate._core.money import format_usd
from fastgate.errors import GatewayError, envelope
from fastgate.headers import passed_back

if TYPE_CHECKING:
    from fastgate._core.pump import Pump
    from fastgate.call import Call

JSON = "application/json"

Headers = list[tuple[str, str]]


def audit_headers(call: Call, stream: bool) -> Headers:
    """What every answer to an identified call carries; `none`, zero and bypass where a room was not reached."""
    names = call.snapshot.headers
    reached = call.pump is not None
    model = call.request.model if reached and call.request is not None else "none"
    provider = call.endpoint.name if reached and call.endpoint is not None else "none"
    latency_ms = str(call.elapsed_us // 1000)
    cost = format_usd(call.bound_nano if stream else call.cost_nano)
    headers = [
        (names.call_id, call.id),
        (names.model_used, model),
        (names.provider, provider),
        (names.cost_bound if stream else names.cost, cost),
        (names.latency_ms, latency_ms),
        (names.cache, "bypass"),
        (names.guard, "not-scanned"),
        (names.policy, call.snapshot.version),
    ]
    for other in names.also:
        headers.append((other["model-used"], model))
        headers.append((other["provider"], call.endpoint.kind if reached and call.endpoint is not None else "none"))
        headers.append((other["cost-bound" if stream else "cost"], cost))
        headers.append((other["latency-ms"], latency_ms))
        headers.append((other["cache"], "miss"))
    return headers


def upstream_headers(pump: Pump) -> tuple[Headers, str]:
    """The upstream's headers that may pass, and its request id."""
    request_id = ""
    headers: Headers = []
    for name, value in pump.headers:
        if name == b"request-id":
            request_id = value.decode("latin-1")
        elif passed_back(name):
            headers.append((name.decode("ascii"), value.decode("latin-1")))
    return headers, request_id


def begin_stream(call: Call, pump: Pump) -> Any:
    """Send a stream's head; returns the server's transport."""
    headers, call.upstream_request_id = upstream_headers(pump)
    headers.append(("request-id", call.upstream_request_id or call.id))
    headers.append(("cache-control", "no-cache"))
    headers += audit_headers(call, stream=True)
    call.head_us = call.elapsed_us
    call.answered = True
    call.status = pump.status
    return call.proto.response_stream(pump.status, headers)


def send_whole(call: Call, pump: Pump) -> None:
    """Pass a whole answer on as it came, with what it cost."""
    headers, call.upstream_request_id = upstream_headers(pump)
    headers.append(("request-id", call.upstream_request_id or call.id))
    headers += audit_headers(call, stream=False)
    call.head_us = call.elapsed_us
    call.answered = True
    call.status = pump.status
    body = pump.body
    call.response_bytes = len(body)
    call.proto.response_bytes(pump.status, headers, body)


def send_error(call: Call, error: GatewayError) -> None:
    """The gateway's own answer to a call that failed."""
    headers = [("content-type", JSON), ("request-id", call.id), *error.headers]
    if call.principal is not None:
        headers += audit_headers(call, stream=False)
    body = envelope(error, call.id)
    call.status = error.status
    call.head_us = call.elapsed_us
    call.answered = True
    call.response_bytes = len(body)
    call.proto.response_bytes(error.status, headers, body)


class _Closing(msgspec.Struct):
    call_id: str
    cost: str
    model: str
    usage: dict[str, int]


_encode = msgspec.json.Encoder().encode


def closing_line(call: Call) -> bytes:
    """The SSE comment that ends a stream: what it cost and why."""
    usage = call.usage
    counts = {
        "input_tokens": usage.input_tokens if usage else 0,
        "output_tokens": usage.output_tokens if usage else 0,
        "cache_write_5m_tokens": usage.cache_write_5m_tokens if usage else 0,
        "cache_write_1h_tokens": usage.cache_write_1h_tokens if usage else 0,
        "cache_read_tokens": usage.cache_read_tokens if usage else 0,
    }
    model = call.request.model if call.request is not None else "none"
    return b": fastgate %b\n\n" % _encode(_Closing(call.id, format_usd(call.cost_nano), model, counts))
