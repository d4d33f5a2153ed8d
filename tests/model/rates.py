"""Rate limits, slowly: buckets as moments, calls in flight as lists. The oracle of _core.rates."""

from __future__ import annotations

from dataclasses import dataclass, field

MINUTE_NS = 60_000_000_000
REQUESTS, TOKENS, PARALLEL = 1, 2, 3


@dataclass
class Subject:
    """One who is limited. Each bucket is the moment at which it is full again."""

    requests: int
    tokens: int
    parallel: int
    requests_full_ns: int = 0
    tokens_full_ns: int = 0
    inside: list[int] = field(default_factory=list)

    def refusal(self, now_ns: int) -> int:
        if self.parallel and len(self.inside) >= self.parallel:
            return PARALLEL
        if self.tokens and self.tokens_full_ns - now_ns >= MINUTE_NS:
            return TOKENS
        if self.requests and max(self.requests_full_ns, now_ns) + MINUTE_NS // self.requests - now_ns > MINUTE_NS:
            return REQUESTS
        return 0


@dataclass
class Rates:
    """All subjects by key; a call is under several, and takes from all or from none."""

    subjects: dict[int, Subject]

    def enter(self, call: int, keys: list[int], now_ns: int) -> int:
        for at, key in enumerate(keys):
            why = self.subjects[key].refusal(now_ns)
            if why:
                return why + 3 * at
        for key in keys:
            subject = self.subjects[key]
            if subject.parallel:
                subject.inside.append(call)
            if subject.requests:
                subject.requests_full_ns = max(subject.requests_full_ns, now_ns) + MINUTE_NS // subject.requests
        return 0

    def leave(self, call: int, keys: list[int], tokens: int, now_ns: int) -> None:
        for key in keys:
            subject = self.subjects[key]
            if subject.parallel:
                subject.inside.remove(call)
            if subject.tokens and tokens:
                subject.tokens_full_ns = max(subject.tokens_full_ns, now_ns) + tokens * MINUTE_NS // subject.tokens
