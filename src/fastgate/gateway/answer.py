"""Answers: the one place that writes a response head, a stream's closing line and an error's body (docs/reference)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fastgate._core.money import format_usd
from fastgate.errors import GatewayError, envelope

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastgate._core.pump import Pump
    from fastgate.call import Call

JSON = "application/json"
EVENT_STREAM = "text/event-stream; charset=utf-8"

Headers = list[tuple[str, str]]


def audit_headers(call: Call, stream: bool) -> Headers:
    """What every answer to an identified call carries; `none`, zero and bypass where a room was not reached."""
    names, endpoint = call.snapshot.headers, call.endpoint
    if call.origin is not None:
        model, source, kind = call.origin
        steady = names.steady(model, source, kind, call.cache, call.guard)
    elif call.pump is not None and endpoint is not None:
        steady = names.steady(call.model_used, endpoint.name, endpoint.kind, call.cache, call.guard)
    else:
        steady = names.steady("none", "none", "none", call.cache, call.guard)
    call.head_us = call.elapsed_us()
    latency_ms = f"{call.head_us // 1000}"
    cost = format_usd(call.bound_nano if stream else call.cost_nano)
    headers = [(names.call_id, call.id), *steady]
    for name in names.cost_bound if stream else names.cost:
        headers.append((name, cost))  # noqa: PERF401  # compiled, a comprehension is a list more
    for name in names.latency_ms:
        headers.append((name, latency_ms))  # noqa: PERF401
    if call.budget:
        headers.append((names.budget, call.budget))
    if call.routed:
        headers.append((names.routed, call.routed))
    if call.saved_nano > 0:
        headers.append((names.saved, format_usd(call.saved_nano)))
    return headers


def upstream_headers(call: Call, pump: Pump) -> Headers:
    """What may be passed back of the upstream's headers, and its request id, or ours."""
    call.upstream_request_id = pump.request_id
    return [*pump.headers, ("request-id", pump.request_id or call.id)]


def as_json(headers: Headers) -> Headers:
    """The upstream's headers, before a message that the gateway wrote or changed."""
    return [("content-type", JSON), *(line for line in headers if line[0] != "content-type")]


def begin_stream(call: Call, pump: Pump) -> Any:
    """Send a stream's head; returns the server's transport."""
    headers = upstream_headers(call, pump)
    headers.append(("cache-control", "no-cache"))
    headers += audit_headers(call, stream=True)
    call.answered = True
    call.status = pump.status
    return call.proto.response_stream(pump.status, headers)


def begin_shared(call: Call) -> Any:
    """Send the head of a stream that another call pays for; returns the server's transport."""
    headers = [("content-type", EVENT_STREAM), ("cache-control", "no-cache"), ("request-id", call.id)]
    headers += audit_headers(call, stream=False)
    call.answered = True
    call.status = 200
    return call.proto.response_stream(200, headers)


def send_hit(call: Call, form: str, body: bytes) -> None:
    """An answer that was given before; a stream at once, with its closing line."""
    call.status = 200
    call.answered = True
    if form == "events":
        headers = [("content-type", EVENT_STREAM), ("cache-control", "no-cache"), ("request-id", call.id)]
        body += closing_line(call)
    else:
        headers = [("content-type", JSON), ("request-id", call.id)]
    headers += audit_headers(call, stream=False)
    call.response_bytes = len(body)
    call.proto.response_bytes(200, headers, body)


def whole_body(call: Call, pump: Pump) -> bytes:
    """A whole answer in Anthropic's form."""
    return pump.body if call.recast is None else call.recast


def sender(call: Call, transport: Any) -> Callable[[bytes], object]:
    """What pushes a stream's bytes to the client: through the call's tap where it has one, and then it gives the number
    of bytes that went out."""
    tap, review = call.tap, call.review
    push: Callable[[bytes], object] = transport.send_bytes
    if review is not None:
        return reviewed(call, push)
    if tap is None:
        return push

    def send(chunk: bytes) -> int:
        passed = tap.feed(chunk)
        told = push(passed) if passed else 0
        return told if isinstance(told, int) else len(passed)

    return send


def reviewed(call: Call, push: Callable[[bytes], object]) -> Callable[[bytes], object]:
    """The same by way of the vendors' guards, which let go on what they have judged, in their own time."""
    tap, review = call.tap, call.review
    assert review is not None

    def tapped(passed: bytes) -> int:
        out = passed if tap is None else tap.feed(passed)
        told = push(out) if out else 0
        return told if isinstance(told, int) else len(out)

    told = 0

    def send(chunk: bytes) -> int:
        nonlocal told
        review.feed(chunk)
        before, told = told, review.bytes_out
        return told - before  # with what was let go since the last chunk came

    review.push = tapped
    return send


def send_whole(call: Call, pump: Pump) -> None:
    """Pass a whole answer on as it came, with what it cost."""
    body = came = whole_body(call, pump)
    if call.tap is not None and pump.good:
        body = call.tap.whole(came)  # before the headers, which say what became of it
    headers = upstream_headers(call, pump)
    if call.recast is not None or body != came:
        headers = as_json(headers)
    headers += audit_headers(call, stream=False)
    call.answered = True
    call.status = pump.status
    call.response_bytes = len(body)
    call.proto.response_bytes(pump.status, headers, body)


def send_error(call: Call, error: GatewayError) -> None:
    """The gateway's own answer to a call that failed."""
    headers = [("content-type", JSON), ("request-id", call.id), *error.headers]
    if call.principal is not None:
        headers += audit_headers(call, stream=False)
    body = envelope(error, call.id)
    call.status = error.status
    call.head_us = call.elapsed_us()
    call.answered = True
    call.response_bytes = len(body)
    call.proto.response_bytes(error.status, headers, body)


class _Closing(msgspec.Struct):
    call_id: str
    cost: str
    model: str
    usage: dict[str, int]
    saved: str | msgspec.UnsetType = msgspec.UNSET


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
    model = call.origin[0] if call.origin is not None else call.model_used
    saved = format_usd(call.saved_nano) if call.saved_nano > 0 else msgspec.UNSET
    return b": fastgate %b\n\n" % _encode(_Closing(call.id, format_usd(call.cost_nano), model, counts, saved))
