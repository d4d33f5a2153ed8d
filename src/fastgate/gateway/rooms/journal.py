"""Journal: leaves the one record of a finished call. Shapes it; the writer and its files are fastgate.journal's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fastgate.record import CallRecord, Usage

if TYPE_CHECKING:
    from fastgate.call import Call

_encode = msgspec.msgpack.Encoder().encode

NO_USAGE = Usage()
NO_TAGS: dict[str, str] = {}

MODEL_CHARS_MAX = 256
"""A model id as recorded; what a client sends may be any string."""


def encode(call: Call) -> bytes:
    """The body of the call's journal record."""
    return _encode(record_of(call))


def record_of(call: Call) -> CallRecord:
    """The call as the journal keeps it."""
    who, request, endpoint, pump = call.principal, call.request, call.endpoint, call.pump
    model = request.model[:MODEL_CHARS_MAX] if request is not None else ""
    return CallRecord(
        id=call.id,
        at_ns=call.at_ns,
        duration_us=call.elapsed_us,
        head_us=call.head_us,
        org=who.org if who else "",
        team=who.team if who else "",
        user=who.user if who else "",
        key=who.key if who else "",
        cost_center=who.cost_center if who else "",
        tags=who.tags if who else NO_TAGS,
        session=call.session,
        agent=call.head.agent,
        parent_agent=call.head.parent_agent,
        request_class=call.head.request_class,
        route=call.route,
        model_asked=model,
        model_used=model if pump is not None else "",
        endpoint=endpoint.name if endpoint is not None and pump is not None else "",
        provider=endpoint.kind if endpoint is not None and pump is not None else "",
        status=call.status,
        outcome=call.outcome,
        error=call.error,
        stream=request.stream if request is not None else False,
        cache="bypass",
        guard="not-scanned",
        routed="",
        usage=usage_of(call),
        usage_state=call.usage_state,
        cost_nano=call.cost_nano,
        cost_asked_nano=call.cost_nano,
        saved_nano=0,
        stages=[],
        policy=call.snapshot.version,
        attempts=call.attempts,
        system_sha256=call.system_sha256,
        tools=list(request.tools) if request is not None else [],
        request_bytes=len(call.body),
        response_bytes=call.response_bytes,
        upstream_request_id=call.upstream_request_id,
        stop_reason=call.meter.stop_reason if call.meter is not None else "",
    )


def usage_of(call: Call) -> Usage:
    used = call.usage
    if used is None:
        return NO_USAGE
    tools = {
        name: uses
        for name, uses in (
            ("web_search", used.web_search),
            ("web_fetch", used.web_fetch),
            ("code_execution", used.code_execution),
        )
        if uses
    }
    return Usage(
        used.input_tokens,
        used.output_tokens,
        used.cache_write_5m_tokens,
        used.cache_write_1h_tokens,
        used.cache_read_tokens,
        tools,
    )
