"""Journal: leaves the one record of a finished call. Shapes it; the writer and its files are fastgate.journal's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fastgate._core.prefix import read_prefix

if TYPE_CHECKING:
    from fastgate.call import Call

_encode = msgspec.msgpack.Encoder().encode

UsageFields = tuple[int, int, int, int, int, dict[str, int]]

NO_USAGE: UsageFields = (0, 0, 0, 0, 0, {})
NOBODY: tuple[str, str, str, str, str, dict[str, str]] = ("", "", "", "", "", {})

TOOLS_MAX = 1024
"""Tool names as recorded; Claude Code sends about 25, a large set of MCP servers a few hundred."""

MODEL_CHARS_MAX = 256
"""A model id as recorded; what a client sends may be any string."""


def encode(call: Call) -> bytes:
    """The body of the call's journal record: the fields of fastgate.record.CallRecord, in its order.

    A tuple, because it costs a third of the struct to make; tests/gateway/test_relay.py holds the two together.
    """
    who, request, head = call.principal, call.request, call.head
    reached = call.pump is not None and call.endpoint is not None
    endpoint = call.endpoint if reached else None
    model = (call.model_asked or request.model)[:MODEL_CHARS_MAX] if request is not None else ""
    used = call.model_used if reached else call.origin[0] if call.origin is not None else ""
    tools = request.tools[:TOOLS_MAX] if request is not None else ()
    return _encode(
        (
            call.id,
            call.at_ns,
            call.elapsed_us(),
            call.head_us,
            *((who.org, who.team, who.user, who.key, who.cost_center, who.tags) if who is not None else NOBODY),
            call.session,
            head.agent,
            head.parent_agent,
            head.request_class,
            call.route,
            model,
            used[:MODEL_CHARS_MAX],
            endpoint.name if endpoint is not None else "",
            endpoint.kind if endpoint is not None else "",
            call.status,
            call.outcome,
            call.error,
            request.stream if request is not None else False,
            call.cache,
            call.guard,
            call.routed,
            usage_of(call),
            call.usage_state,
            call.cost_nano,
            call.cost_nano + call.saved_nano,
            call.saved_nano,
            call.stages,
            call.snapshot.version,
            call.attempts,
            call.system_sha256,
            tools,
            len(call.body),
            call.response_bytes,
            call.upstream_request_id,
            call.meter.stop_reason if call.meter is not None else "",
            call.namespace,
            call.cells,
            call.verdicts,
            call.saved_downgrade_nano,
            call.saved_arbitration_nano,
            call.decision,
            read_prefix(request, call.body) if call.usage is not None and request is not None else b"",
            call.ladder,
            call.sightings,
            call.placed,
        )
    )


def usage_of(call: Call) -> UsageFields:
    """The usage in the order of fastgate.record.Usage."""
    used = call.usage
    if used is None:
        return NO_USAGE
    tools = {}
    if used.web_search:
        tools["web_search"] = used.web_search
    if used.web_fetch:
        tools["web_fetch"] = used.web_fetch
    if used.code_execution:
        tools["code_execution"] = used.code_execution
    return (
        used.input_tokens,
        used.output_tokens,
        used.cache_write_5m_tokens,
        used.cache_write_1h_tokens,
        used.cache_read_tokens,
        tools,
    )
