"""Slow twin of fastgate._core.warmth: one dictionary, no limits, nothing shared. Written for reading, never shipped."""

from __future__ import annotations

from dataclasses import dataclass, field

S = 1_000_000_000
LIFE_NS, LONG_LIFE_NS = 300 * S, 3600 * S
CLASSES = ("", "main", "subagent", "workflow", "compaction", "auxiliary")
PLACES_KEPT = 6


@dataclass
class Tokens:
    """What one finished call stated."""

    input: int = 0
    output: int = 0
    write_5m: int = 0
    write_1h: int = 0
    read: int = 0
    us_geo: bool = False

    @property
    def cached(self) -> int:
        return self.read + self.write_5m + self.write_1h


@dataclass
class Prefix:
    tokens: int = 0
    until_ns: int = 0
    hour_tokens: int = 0
    hour_until_ns: int = 0

    def long(self, now_ns: int) -> bool:
        return self.hour_tokens > 0 and 0 < self.hour_until_ns - now_ns <= LONG_LIFE_NS

    def short(self, now_ns: int) -> bool:
        return 0 < self.until_ns - now_ns <= LIFE_NS


@dataclass
class Known:
    used_ns: int = 0
    home: int = 0
    body_bytes: int = 0
    prompt_tokens: int = 0
    pace_ms: int = 0
    caches: bool = False
    hour: bool = False
    us_geo: bool = False
    output: dict[str, int] = field(default_factory=dict)
    prefixes: dict[tuple[int, str, int], Prefix] = field(default_factory=dict)

    def warm(self, where: tuple[int, str, int], now_ns: int) -> int:
        found = self.prefixes.get(where, Prefix())
        if found.short(now_ns):
            return found.tokens
        return found.hour_tokens if found.long(now_ns) else 0

    def warm_until(self, where: tuple[int, str, int], now_ns: int) -> int:
        found = self.prefixes.get(where, Prefix())
        if found.long(now_ns):
            return found.hour_until_ns
        return found.until_ns if found.short(now_ns) else 0


def mean(before: int, value: int, span: int) -> int:
    if value <= 0:
        return before
    return -(-((span - 1) * before + value) // span) if before else value


@dataclass
class Warmth:
    known: dict[tuple[str, str, str], Known] = field(default_factory=dict)
    output: dict[str, int] = field(default_factory=dict)

    def expected_output(self, who: tuple[str, str, str], request_class: str) -> int:
        named = request_class if request_class in CLASSES else ""
        known = self.known.get(who)
        own = known.output.get(named, 0) if known is not None else 0
        return own or self.output.get(named, 0) or 400

    def learn(
        self,
        who: tuple[str, str, str],
        request_class: str,
        where: tuple[int, str, int],
        body_bytes: int,
        now_ns: int,
        tokens: Tokens | None,
    ) -> None:
        known = self.known.setdefault(who, Known())
        interval_ms = (now_ns - known.used_ns) // 1_000_000
        if known.used_ns and 0 < interval_ms <= 600_000:
            known.pace_ms = -(-(3 * known.pace_ms + interval_ms) // 4) if known.pace_ms else interval_ms
        if now_ns > known.used_ns or known.used_ns - now_ns > LONG_LIFE_NS:
            known.used_ns = now_ns
        known.home = where[0]
        if tokens is None:
            return
        known.body_bytes, known.prompt_tokens = body_bytes, tokens.input + tokens.cached
        known.us_geo = tokens.us_geo
        named = request_class if request_class in CLASSES else ""
        known.output[named] = mean(known.output.get(named, 0), tokens.output, 8)
        self.output[named] = mean(self.output.get(named, 0), tokens.output, 64)
        if tokens.cached:
            known.caches = True
            self._warm(known, where, tokens, now_ns)

    def _warm(self, known: Known, where: tuple[int, str, int], tokens: Tokens, now_ns: int) -> None:
        at = known.prefixes.get(where, Prefix())
        if tokens.write_1h:
            at.hour_tokens, known.hour = tokens.read + tokens.write_1h, True
        elif 0 < at.hour_until_ns - now_ns <= LONG_LIFE_NS:
            at.hour_tokens, known.hour = min(at.hour_tokens, tokens.cached), tokens.write_5m == 0
        else:
            at.hour_tokens, known.hour = 0, False
        at.hour_until_ns = now_ns + LONG_LIFE_NS if at.hour_tokens else 0
        at.tokens, at.until_ns = tokens.cached, now_ns + LIFE_NS
        known.prefixes[where] = at
