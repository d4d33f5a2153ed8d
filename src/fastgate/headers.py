"""Response header names of one configuration, spelled once per snapshot, and what may come back from an upstream."""

from __future__ import annotations

CLASSIC = ("model-used", "cost", "cost-bound", "latency-ms", "provider", "cache")
"""What `headers.also` repeats under other prefixes; `cost-bound` stands in for `cost` on a stream."""

QUOTA_PREFIX = b"anthropic-ratelimit-"
"""Quota headers describe the shared provider key, not the caller: never passed on."""

PASSED_BACK = frozenset((b"content-type", b"retry-after", b"retry-after-ms", b"x-should-retry", b"content-encoding"))
"""Upstream response headers that reach the client; besides these, `anthropic-*` without the quota headers."""


class HeaderSet:
    """The gateway's header names under the configured prefix, and the classic ones under each further prefix."""

    __slots__ = (
        "also", "cache", "call_id", "cost", "cost_bound", "guard", "latency_ms", "model_used", "policy", "provider",
        "routed", "saved",
    )  # fmt: skip

    def __init__(self, prefix: str, also: tuple[str, ...]) -> None:
        self.call_id = f"{prefix}-call-id"
        self.model_used = f"{prefix}-model-used"
        self.provider = f"{prefix}-provider"
        self.cost = f"{prefix}-cost"
        self.cost_bound = f"{prefix}-cost-bound"
        self.saved = f"{prefix}-saved"
        self.latency_ms = f"{prefix}-latency-ms"
        self.cache = f"{prefix}-cache"
        self.guard = f"{prefix}-guard"
        self.routed = f"{prefix}-routed"
        self.policy = f"{prefix}-policy"
        self.also = tuple({name: f"{other}-{name}" for name in CLASSIC} for other in also)


def passed_back(name: bytes) -> bool:
    """Whether an upstream response header travels on to the client. Names are lower case."""
    if name in PASSED_BACK:
        return True
    return name.startswith(b"anthropic-") and not name.startswith(QUOTA_PREFIX)
