"""Journal: leaves the one record of a finished call. Shapes it; the writer and its files are fastgate.journal's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastgate._core.pack import Packer
from fastgate._core.prefix import read_prefix
from fastgate.snapshot import packed

if TYPE_CHECKING:
    from fastgate._core.usage import Usage
    from fastgate.call import Call

TOOLS_MAX = 1024
"""Tool names as recorded; Claude Code sends about 25, a large set of MCP servers a few hundred."""

MODEL_CHARS_MAX = 256
"""A model id as recorded; what a client sends may be any string."""

NOBODY = packed("", "", "", "", "", {})
"""In the place of a key's own, where none was accepted."""

FIELDS = 50
"""Of fastgate.record.CallRecord."""

_packer = Packer()


def encode(call: Call) -> bytes:
    """The body of the call's journal record: the fields of fastgate.record.CallRecord, in its order.

    Written one by one, at a quarter of what the struct costs; tests/gateway/test_relay.py holds the two together.
    """
    request, head, out = call.request, call.head, _packer
    endpoint = call.endpoint if call.pump is not None else None
    out.begin(FIELDS)
    out.text(call.id)
    out.number(call.at_ns)
    out.number(call.elapsed_us())
    out.number(call.head_us)
    out.packed(NOBODY if call.principal is None else call.principal.packed)
    out.text(call.session)
    out.text(head.agent)
    out.text(head.parent_agent)
    out.text(head.request_class)
    out.text(call.route)
    out.text(clipped(call.model_asked or request.model if request is not None else ""))
    if endpoint is not None:
        out.text(clipped(call.model_used))
        out.value(endpoint.name)
        out.value(endpoint.kind)
    else:
        out.text(clipped(call.origin[0]) if call.origin is not None else "")
        out.text("")
        out.text("")
    out.number(call.status)
    out.text(call.outcome)
    out.text(call.error)
    out.flag(request.stream if request is not None else False)
    out.text(call.cache)
    out.text(call.guard)
    out.text(call.routed)
    put_usage(out, call.usage)
    out.text(call.usage_state)
    out.value(call.cost_nano)
    out.value(call.cost_nano + call.saved_nano)
    out.value(call.saved_nano)
    out.value(call.stages)
    out.text(call.snapshot.version)
    out.value(call.attempts)
    out.text(call.system_sha256)
    out.value(request.tools[:TOOLS_MAX] if request is not None else ())
    out.number(len(call.body))
    out.number(call.response_bytes)
    out.text(call.upstream_request_id)
    out.text(call.meter.stop_reason if call.meter is not None else "")
    out.text(call.namespace)
    out.value(call.cells)
    out.value(call.verdicts)
    out.value(call.saved_downgrade_nano)
    out.value(call.saved_arbitration_nano)
    out.value(call.decision)
    out.value(read_prefix(request, call.body) if call.usage is not None and request is not None else b"")
    out.value(call.ladder)
    out.value(call.sightings)
    out.value(call.placed)
    return out.taken()


def clipped(model: str) -> str:
    return model if len(model) <= MODEL_CHARS_MAX else model[:MODEL_CHARS_MAX]


def put_usage(out: Packer, used: Usage | None) -> None:
    """The usage in the order of fastgate.record.Usage."""
    out.array(6)
    if used is None:
        for _ in range(5):
            out.number(0)
        out.value({})
        return
    out.number(used.input_tokens)
    out.number(used.output_tokens)
    out.number(used.cache_write_5m_tokens)
    out.number(used.cache_write_1h_tokens)
    out.number(used.cache_read_tokens)
    tools = {}
    if used.web_search:
        tools["web_search"] = used.web_search
    if used.web_fetch:
        tools["web_fetch"] = used.web_fetch
    if used.code_execution:
        tools["code_execution"] = used.code_execution
    out.value(tools)
