"""From a key format, one line of a table, to a rule: the trigger that Hyperscan looks for, the exact form, samples.

A table says `name  pattern`, one format a line. The pattern is the whole key and is written in the part of the
language that `_sampling` knows; its first literal is what makes it cheap to look for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from fastgate.guards.rule import BEFORE, Check, Rule, Severity
from fastgate.guards.scanners import _entropy, _sampling

TRIGGER_HEAD = 3
"""Signs of a class that a trigger keeps in front of its literal: more would keep a wide automaton running."""

TRIGGER_TAIL = 20
"""Signs behind the literal that a trigger waits for: enough to be rare, short enough to be cheap."""

MIN_BITS = 2.6
"""Of a key's random part, a sign: 20 random hex digits have less once in ten thousand, words and runs more often."""

WORDS_FROM = 24
MAX_WORDS = 0.8
"""The share of a long key that may read like words: a random one of 30 letters passes it once in a million."""

UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
"""What a table writes as `<uuid>`."""

EDGE = r"(?<![A-Za-z0-9_+/-])(?P<secret>{})(?![A-Za-z0-9_])"
_PARTS = re.compile(r"(\\x..|\\.|\[(?:\\.|[^\]\\])*\]|\((?:[^()]|\([^()]*\))*\)|[^\\\[(])(\{[0-9,]+\}|[?*+])?")


@dataclass(frozen=True, slots=True)
class Part:
    """One element of a pattern with how often it stands."""

    text: str
    low: int
    high: int

    @property
    def is_literal(self) -> bool:
        return not self.text.startswith(("[", "(", ".", r"\d", r"\w", r"\s", "^", "$")) and self.low == self.high == 1

    def times(self, count: int) -> str:
        return self.text if count == 1 else f"{self.text}{{{count}}}" if count else ""


def parts(pattern: str) -> list[Part]:
    """The elements of a pattern, in order."""
    found = []
    for match in _PARTS.finditer(pattern):
        text, count = match.groups()
        low, high = 1, 1
        if count:
            first, comma, last = count.strip("{}").partition(",")
            low = {"?": 0, "*": 0, "+": 1}.get(count, 0) if not first.isdigit() else int(first)
            high = 1 if count == "?" else low + 64 if count in "*+" else int(last) if last else low + 64 * bool(comma)
        found.append(Part(text, low, high))
    if "".join(match[0] for match in _PARTS.finditer(pattern)) != pattern:
        raise ValueError(f"cannot take {pattern!r} apart")
    return found


def longest(pattern: str) -> int:
    """The most bytes that a match has; a group counts as what its own text could be at most."""
    return sum(part.high * (len(part.text) if part.text.startswith("(") else 1) for part in parts(pattern))


def trigger(pattern: str) -> str:
    """The cheap part of `pattern`: its first literal with a little of what stands around it.

    What it drops in front and behind, the exact form checks; it ends in an exact count, so a key is reported once.
    """
    elements = parts(pattern)
    first = _anchor(elements)
    head = _head(elements[:first])
    tail: list[str] = []
    kept = 0
    for part in elements[first:]:
        take = part.low if part.text.startswith("(") else min(part.low, TRIGGER_TAIL - kept)
        tail.append(part.times(take))
        kept += take * (not part.is_literal)
        if take < part.high or kept >= TRIGGER_TAIL:
            break
    return "".join(head + tail)


def _anchor(elements: list[Part]) -> int:
    """Where the longest run of literals begins; a group, whose branches are literals, counts as two."""
    best, best_length, length = 0, 0, 0
    for place, part in enumerate(elements):
        length = length + 1 if part.is_literal else 2 if part.text.startswith("(") and part.low else 0
        if length > best_length:
            best, best_length = place, length
    while best and (elements[best - 1].is_literal or elements[best - 1].text.startswith("(")):
        best -= 1
    return best


def _head(elements: list[Part]) -> list[str]:
    kept: list[str] = []
    room = TRIGGER_HEAD
    for part in reversed(elements):
        take = min(part.low, room)
        kept.insert(0, part.times(take))
        room -= take
        if take < part.high or not room:
            break
    return kept


def words(text: str) -> tuple[str, ...]:
    """A list that is written as running text."""
    return tuple(text.split())


def rows(table: str) -> Iterator[tuple[str, str]]:
    """The lines of a table as (name, pattern)."""
    for line in table.strip().splitlines():
        name, _, pattern = line.partition(" ")
        yield name, pattern.strip().replace("<uuid>", UUID)


def plausible(more: Check | None = None, min_bits: float = MIN_BITS) -> Check:
    """A check for a key: no placeholder, as random as keys are, and what the format itself has as a check sum."""

    def check(text: bytes, start: int, end: int) -> bool:
        try:
            secret = text[start:end].decode("ascii")
        except UnicodeDecodeError:
            return False
        if _entropy.is_placeholder(secret) or _entropy.bits_per_character(secret) < min_bits:
            return False
        if len(secret) >= WORDS_FROM and _entropy.word_share(secret) > MAX_WORDS:
            return False
        return more is None or more(text, start, end)

    return check


Mend = Callable[[str], str]
"""Makes a sample's check sum right."""


def sampled(pattern: str, check: Check, mend: Mend | None = None, frame: str = "{}") -> tuple[str, str]:
    """A sample that fires inside `frame`, and its near miss: one sign short."""
    for seed in range(200):
        secret = _sampling.sample(pattern, seed)
        if mend is not None:
            secret = mend(secret)
        raw = secret.encode()
        if check(raw, 0, len(raw)):
            return frame.format(secret), frame.format(secret[: _shortest(pattern) - 1])
    raise ValueError(f"no sample of {pattern!r} passes its check")


def _shortest(pattern: str) -> int:
    """Signs up to and with the last one that must stand there; groups as they happen to be sampled."""
    return max(4, len(_sampling.sample(pattern)) // 2)


def key_rule(
    name: str,
    pattern: str,
    *,
    check: Check | None = None,
    mend: Mend | None = None,
    severity: Severity = "high",
) -> Rule:
    """The rule of one self-identifying key format. A check sum that fits, which `mend` tells of, needs no other look:
    one real key in some thousands reads like a sample."""
    judge = check if check is not None and mend is not None else plausible(check)
    fires, misses = sampled(pattern, judge, mend, 'key = "{}"')
    length = longest(pattern)
    return Rule(
        id=name,
        title=f"a key of the format {name}",
        pattern=trigger(pattern),
        exact=EDGE.format(pattern),
        before=max(BEFORE, 128 + length),
        after=max(64, length + 8),
        check=judge,
        severity=severity,
        hold=length,
        samples=(fires,),
        clean=(misses,),
    )


def key_rules(
    table: str, checks: Mapping[str, tuple[Check, Mend]], severities: Mapping[str, Severity]
) -> tuple[Rule, ...]:
    """The rules of a whole table; check sums and severities by name."""
    made = []
    for name, pattern in rows(table):
        check, mend = checks.get(name, (None, None))
        made.append(key_rule(name, pattern, check=check, mend=mend, severity=severities.get(name, "high")))
    return tuple(made)
