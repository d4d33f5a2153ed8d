"""What a simulated call costs in tokens: a pure function of the request and the answer, so that a test can predict it.

    input, all classes     T = ceil(body bytes / 4)
      no cache_control     input = T
      first turn           input = min(8, T), cache write = the rest (1 h class where the body asks for ttl 1h)
      later turns          input = min(8, T), cache read = floor(9 T / 10) - input, cache write = the rest
    output                 ceil(bytes of text, thinking and tool input / 4), at least 1

A behaviour's `usage` overrides any of the classes. Knows nothing of HTTP or events.
"""

from __future__ import annotations

from typing import Any

import msgspec

BYTES_PER_TOKEN = 4
UNCACHED_TOKENS = 8
"""Stays outside the prompt cache on every turn, like the few tokens after the last breakpoint."""


class Usage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Disjoint token classes, as the gateway's own record names them."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    cache_read_tokens: int = 0
    web_search: int = 0
    web_fetch: int = 0
    code_execution: int = 0
    compaction_input: int = 0
    compaction_output: int = 0


NOTHING = Usage()

OVERRIDES = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cache_read": "cache_read_tokens",
    "cache_write_5m": "cache_write_5m_tokens",
    "cache_write_1h": "cache_write_1h_tokens",
}
"""The short names of directives; the other fields go by their own."""


def tokens_of(size_bytes: int) -> int:
    return -(-size_bytes // BYTES_PER_TOKEN)


def predict(body_bytes: int, turns: int, ttl: str, output_bytes: int, overrides: dict[str, int]) -> Usage:
    """The usage of one answer. `turns`: assistant messages in the request; `ttl`: "" (no caching asked), "5m", "1h"."""
    total = tokens_of(body_bytes)
    fields = {"input_tokens": total, "output_tokens": max(1, tokens_of(output_bytes))}
    if ttl:
        uncached = min(UNCACHED_TOKENS, total)
        read = max(0, total * 9 // 10 - uncached) if turns else 0
        write = total - uncached - read
        fields |= {"input_tokens": uncached, "cache_read_tokens": read, f"cache_write_{ttl}_tokens": write}
    fields |= {OVERRIDES.get(name, name): count for name, count in overrides.items()}
    return msgspec.convert(fields, Usage, strict=True)


def sent_so_far(total_output_tokens: int, sent_bytes: int, total_bytes: int) -> int:
    """Output tokens that have left when `sent_bytes` of the answer's `total_bytes` of output have."""
    if not total_bytes:
        return 0
    return -(-total_output_tokens * sent_bytes // total_bytes)


def on_the_wire(usage: Usage, *, output_tokens: int, speed: str = "", geo: str = "", tier: str = "") -> dict[str, Any]:
    """The usage object of a whole message or of message_start, in Anthropic's shape."""
    write = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    wire: dict[str, Any] = {
        "input_tokens": usage.input_tokens,
        "cache_creation_input_tokens": write,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_5m_tokens,
            "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
        },
        "output_tokens": output_tokens,
        "service_tier": tier or "standard",
        "inference_geo": geo or "not_available",
    }
    if speed:
        wire["speed"] = speed
    return wire


def at_the_end(usage: Usage) -> dict[str, Any]:
    """The usage object of message_delta: cumulative, without the split of cache writes."""
    wire: dict[str, Any] = {
        "input_tokens": usage.input_tokens,
        "cache_creation_input_tokens": usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "output_tokens": usage.output_tokens,
    }
    wire.update(extras(usage))
    return wire


def extras(usage: Usage) -> dict[str, Any]:
    """Server tools and iterations, which are only known at the end."""
    wire: dict[str, Any] = {}
    if usage.web_search or usage.web_fetch or usage.code_execution:
        wire["server_tool_use"] = {
            "web_search_requests": usage.web_search,
            "web_fetch_requests": usage.web_fetch,
            "code_execution_requests": usage.code_execution,
        }
    if usage.compaction_input or usage.compaction_output:
        wire["iterations"] = [
            {
                "type": "compaction",
                "input_tokens": usage.compaction_input,
                "output_tokens": usage.compaction_output,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
            },
            {"type": "message", "input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens},
        ]
    return wire
