"""Response header names of one configuration, spelled once per snapshot, and the part of them that rarely changes.

Compiled with types (headers.pxd)."""

from __future__ import annotations

CLASSIC = ("model-used", "cost", "cost-bound", "latency-ms", "provider", "cache")
"""What `headers.also` repeats under other prefixes; `cost-bound` stands in for `cost` on a stream."""

KEPT_MAX = 1024
"""Combinations of model and endpoint kept ready; a client that invents models must not fill memory."""

Lines = list[tuple[str, str]]

NOWHERE = ("none", "none", "none", "bypass", "not-scanned")
"""What a call says that no room has decided on: model, endpoint, its kind, cache, guard."""

HITS = frozenset(("hit", "hit-semantic", "hit-inflight"))
"""Under a further prefix `cache` is only hit or miss."""


class HeaderSet:
    """The gateway's header names under the configured prefix, and the classic ones under each further prefix."""

    def __init__(self, prefix: str, also: tuple[str, ...], policy: str) -> None:
        self.names = {name: f"{prefix}-{name}" for name in (*CLASSIC, "guard", "policy")}
        self.others = tuple({name: f"{other}-{name}" for name in CLASSIC} for other in also)
        self.call_id = f"{prefix}-call-id"
        self.budget, self.routed, self.saved = f"{prefix}-budget", f"{prefix}-routed", f"{prefix}-saved"
        self.cost = (self.names["cost"], *(other["cost"] for other in self.others))
        self.cost_bound = (self.names["cost-bound"], *(other["cost-bound"] for other in self.others))
        self.latency_ms = (self.names["latency-ms"], *(other["latency-ms"] for other in self.others))
        self._policy = policy
        self._kept: dict[tuple[str, str, str, str, str], Lines] = {}

    def steady(self, model: str, endpoint: str, kind: str, cache: str, guard: str) -> Lines:
        """The headers that are the same for every call of one model at one endpoint with one verdict. Not to be
        changed."""
        said = (model, endpoint, kind, cache, guard)
        lines = self._kept.get(said)
        if lines is None:
            if len(self._kept) >= KEPT_MAX:
                self._kept.clear()
            lines = self._kept[said] = self._steady(*said)
        return lines

    def _steady(self, model: str, endpoint: str, kind: str, cache: str, guard: str) -> Lines:
        lines = []
        model = visible(model)
        short = "hit" if cache in HITS else "miss"
        for other in self.others:
            lines += [(other["model-used"], model), (other["provider"], kind), (other["cache"], short)]
        names = self.names
        lines += [(names["model-used"], model), (names["provider"], endpoint), (names["cache"], cache)]
        return [*lines, (names["guard"], guard), (names["policy"], self._policy)]


def visible(text: str) -> str:
    """What a header can hold of a text that others chose: printable ASCII, the rest as question marks."""
    return text if text.isascii() and text.isprintable() else "".join(c if " " <= c <= "~" else "?" for c in text)
