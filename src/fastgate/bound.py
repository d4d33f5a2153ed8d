"""The most a call can cost, before it is sent: what its bytes, images, tools and `max_tokens` can come to at a price.

Pure. Knows no budget; who holds money asks here how much, and how much output a given amount pays for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastgate._core.money import PriceRow
    from fastgate._core.request import RequestView
    from fastgate.snapshot import Limits

IMAGE_TOKENS_MAX = 5_000
"""Most tokens one image may cost, whatever its size (Anthropic's high-resolution cap is 4,784)."""

TOOLS_TOKENS_MAX = 4_096
"""What the provider adds to a prompt with tools, beyond their own text: 530 tokens of instructions at most, and up to
1,234 for each of its four kinds of client tools (Anthropic's pricing page)."""

CONTEXT_TOKENS_MAX = 1_000_000
"""The largest context window; bounds what URL and file documents may add to the input."""

OUTPUT_TOKENS_MAX = 128_000
"""Assumed where a call names no max_tokens: the largest output of any model."""

OUTPUT_TOKENS_LIMIT = 10_000_000
"""No model writes so much: a larger max_tokens bounds nothing, and its price would not fit 64 bits."""

SERVER_TOOL_USES_MAX = 16
"""Server tool uses that a bound allows for; Claude Code asks for at most 8 (`max_uses`)."""

COMPACTIONS_MAX = 1
"""Times that the provider shortens a conversation within one call: it reads all of it and writes a summary."""


def bound_nano(request: RequestView, row: PriceRow, max_tokens: int, limits: Limits) -> int:
    """The worst case with so much output. A token is at least one byte of text; what is not text has its own cap, which
    `limits` has for what the provider's own tools read. What is known of the beginning of the conversation counts as
    what it was."""
    input_tokens = request.known_tokens + request.text_bytes - request.known_bytes
    output_tokens = min(max_tokens or OUTPUT_TOKENS_MAX, OUTPUT_TOKENS_LIMIT)
    uses = 0
    if request.tool_count:
        input_tokens += TOOLS_TOKENS_MAX
    if request.image_count:
        input_tokens += request.image_count * IMAGE_TOKENS_MAX
    if request.document_count:
        input_tokens += CONTEXT_TOKENS_MAX
    if request.has_server_tools:
        input_tokens += limits.server_tool_tokens
        uses = SERVER_TOOL_USES_MAX
    if request.compacts:
        input_tokens *= 1 + COMPACTIONS_MAX
        output_tokens *= 1 + COMPACTIONS_MAX
    # Dearer classes that may apply: a long-lived cache write and the region surcharge always, speed when asked for.
    return row.bound(input_tokens, output_tokens, uses, True, request.speed == "fast", True)


def floor_tokens(request: RequestView, least: int) -> int:
    """The fewest output tokens a call is still worth making with: `least`, or what it asked for where that is less;
    always more than it may think."""
    asked = request.max_tokens or OUTPUT_TOKENS_MAX
    return min(asked, max(least, request.thinking_budget + 1))


def tokens_for(request: RequestView, row: PriceRow, nano: int, least: int, limits: Limits) -> int:
    """The most output tokens, from `least` up to what was asked for, whose worst case costs no more than `nano`;
    `least` where even that costs more."""
    most = min(request.max_tokens or OUTPUT_TOKENS_MAX, OUTPUT_TOKENS_LIMIT)
    while least < most:
        middle = (least + most + 1) // 2
        if bound_nano(request, row, middle, limits) <= nano:
            least = middle
        else:
            most = middle - 1
    return least
