"""What may be answered from a cache, and what may be kept. Every rule here is one on which a wrong answer hung.

Knows what a request and an answer say; no call, no store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastgate._core.meter import Meter
    from fastgate._core.request import RequestView
    from fastgate.snapshot_cache import CachePolicy

FINAL = frozenset(("end_turn", "tool_use", "stop_sequence"))
"""How an answer ends that is whole. Others were cut short, paused, or refused, and may end otherwise next time."""

OF_A_VERDICT = b'"safeguard_results"'
"""In an answer: verdicts on this very conversation, which no other may be given."""


def may_be_asked(request: RequestView, temperature: str, policy: CachePolicy) -> bool:
    """Whether an answer may be given again: what the provider's tools find changes, and who asks for chance wants
    it."""
    return not request.has_server_tools and (not temperature or float(temperature) <= policy.temperature)


def is_final(meter: Meter) -> bool:
    """Whether the answer came whole, ended by itself and was paid for as it says."""
    usage = meter.usage
    return (
        meter.stopped
        and not meter.errored
        and meter.stop_reason in FINAL
        and usage.final
        and not usage.malformed
        and not (usage.web_search or usage.web_fetch or usage.code_execution)
    )


def may_be_kept(body: bytes) -> bool:
    return OF_A_VERDICT not in body
