"""Response header names of one configuration, spelled once per snapshot, and the part of them that rarely changes."""

from __future__ import annotations

CLASSIC = ("model-used", "cost", "cost-bound", "latency-ms", "provider", "cache")
"""What `headers.also` repeats under other prefixes; `cost-bound` stands in for `cost` on a stream."""

KEPT_MAX = 1024
"""Combinations of model and endpoint kept ready; a client that invents models must not fill memory."""

Lines = list[tuple[str, str]]


class HeaderSet:
    """The gateway's header names under the configured prefix, and the classic ones under each further prefix."""

    __slots__ = ("_kept", "call_id", "cost", "cost_bound", "latency_ms", "names", "others")

    def __init__(self, prefix: str, also: tuple[str, ...], policy: str) -> None:
        self.names = {name: f"{prefix}-{name}" for name in (*CLASSIC, "guard", "policy")}
        self.others = tuple({name: f"{other}-{name}" for name in CLASSIC} for other in also)
        self.call_id = f"{prefix}-call-id"
        self.cost = (self.names["cost"], *(other["cost"] for other in self.others))
        self.cost_bound = (self.names["cost-bound"], *(other["cost-bound"] for other in self.others))
        self.latency_ms = (self.names["latency-ms"], *(other["latency-ms"] for other in self.others))
        self._kept: dict[tuple[str, str, str], Lines] = {("", "", ""): self._steady("none", "none", "none", policy)}

    def steady(self, model: str, endpoint: str, kind: str) -> Lines:
        """The headers that are the same for every call of one model at one endpoint; all empty when none was reached.
        Not to be changed."""
        lines = self._kept.get((model, endpoint, kind))
        if lines is None:
            if len(self._kept) >= KEPT_MAX:
                self._kept = {("", "", ""): self._kept["", "", ""]}
            policy = self._kept["", "", ""][-1][1]
            lines = self._kept[model, endpoint, kind] = self._steady(model, endpoint, kind, policy)
        return lines

    def _steady(self, model: str, endpoint: str, kind: str, policy: str) -> Lines:
        lines = []
        for other in self.others:
            lines += [(other["model-used"], model), (other["provider"], kind), (other["cache"], "miss")]
        names = self.names
        lines += [(names["model-used"], model), (names["provider"], endpoint), (names["cache"], "bypass")]
        return [*lines, (names["guard"], "not-scanned"), (names["policy"], policy)]
