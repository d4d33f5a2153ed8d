"""The closer look: a rule's regular expression around each place that the scan points to, within a bound of time.

A text of one phrase over and over points to a place every few bytes, and each costs a search of some hundred. So a rule
that keeps finding nothing looks once for places that lie close together; a rule has only so much time for a block, and
all rules together for a request, those without a pattern among them. Where that is used up the rest counts as not
scanned. Times are of the processor, as a busy machine must not change what is found.

Python's re takes 40 to 400 microseconds for a phrase and its 400 bytes, PCRE2 with its compiler a ninth. So PCRE2 looks
for phrases, and finds what re finds (tests/laws/test_closer_regex.py); re looks for all else, keys and numbers too.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol, TypeAlias

import pcre2

from fastgate.clock import mono_ns
from fastgate.guards.rule import Block, Kind, Rule, RuleError

FINDINGS_MAX = 4_096
"""Findings kept of one block; a block with more is told as not scanned behind the last."""

PATIENCE = 8
"""Looks of a rule in one block before its time is taken and its places are joined: ordinary text has fewer."""

RULE_NS = 100_000_000
"""What one rule may take for one block: two thousand looks of re at some 50 microseconds, 128 of the slowest; of PCRE2
tens of thousands."""

EFFORT_NS = 200_000_000
"""What all rules may take for one request; below the 250 ms at which the event loop counts as standing still."""

LOOKS_FREE = 512
"""Looks of all rules at a request, at some 5 microseconds each, before the time of each is taken: many small blocks
have few looks in each. Until then what fills one block cannot hide what stands in another."""

LOOKS_FREE_NS = 5_000_000
"""What rules without a pattern may take of a request before their time is taken as the processor's, which costs more
than most of their looks: an ordinary conversation of 730 KB takes a hundredth of it."""

UNSCANNED = -1


class Finding(NamedTuple):
    """Rule `rule` (its index) found something at text[start:end]. UNSCANNED: nothing from `start` on was scanned."""

    rule: int
    start: int
    end: int


Found: TypeAlias = dict[Finding, tuple[int, int]]
"""Findings, and the place of what told of each: the whole match, of which the finding may be a part."""

ALL_OF_IT = (0, 0)
"""In that place, where there is no match."""


class Match(Protocol):
    """What a search gives: of re or of PCRE2."""

    def start(self) -> int: ...
    def end(self) -> int: ...
    def span(self, group: int | str = ..., /) -> tuple[int, int]: ...


class Search(Protocol):
    """A regular expression: re's or PCRE2's."""

    def finditer(self, string: bytes, pos: int, endpos: int) -> Iterator[Match]: ...
    def match(self, string: bytes, pos: int, endpos: int) -> Match | None: ...


class Exact(NamedTuple):
    """A rule's closer look, ready to run."""

    search: Search
    group: int | str
    rule: Rule
    kinds: frozenset[Kind]


def exact_of(rule: Rule) -> Exact:
    """The regular expression of the closer look. RuleError for one that cannot be read."""
    search = (_quick(rule) if rule.phrase else None) or in_python(rule)
    return Exact(search, "secret" if "(?P<secret>" in (rule.exact or rule.pattern) else 0, rule, rule.kinds)


def in_python(rule: Rule) -> re.Pattern[bytes]:
    """The closer look as Python's re has it. RuleError for one that it cannot read."""
    flags = re.IGNORECASE if rule.caseless else 0
    flags |= re.DOTALL if rule.dotall else 0
    flags |= re.MULTILINE if rule.lines else 0
    try:
        return re.compile((rule.exact or rule.pattern).encode(), flags)
    except re.error as exc:
        raise RuleError(f"rule {rule.id}: exact: {exc}") from None


UNSKIPPED = b"(*NO_START_OPT)"
"""PCRE2's compiler (10.47) skips to where a match may begin by the first letters of alternatives, and skipped some that
began one: `(?:ab|ba)c` in texts with both. Without the skipping a tenth of what is won is lost."""


def _quick(rule: Rule) -> Search | None:
    """The closer look as PCRE2 has it; None where it is too large, or where memory must not be executed."""
    flags = pcre2.IGNORECASE if rule.caseless else pcre2.NOFLAG
    flags |= pcre2.DOTALL if rule.dotall else pcre2.NOFLAG
    flags |= pcre2.MULTILINE if rule.lines else pcre2.NOFLAG
    try:
        search: Search = pcre2.compile(UNSKIPPED + (rule.exact or rule.pattern).encode(), flags)
    except (pcre2.PatternError, pcre2.LibraryError):
        return None
    return search


class Effort:
    """The time that is left for one request."""

    __slots__ = ("left_ns", "looked_ns", "looks")

    def __init__(self, left_ns: int = EFFORT_NS) -> None:
        self.left_ns = left_ns
        self.looks = 0
        self.looked_ns = 0
        """What rules without a pattern took of LOOKS_FREE_NS, by a clock that no processor's time outruns."""


class _Looks:
    """One rule in one block."""

    __slots__ = ("exact", "failed", "given_up", "index", "left_ns", "looks", "past", "put_off")

    def __init__(self, exact: Exact, index: int) -> None:
        self.exact, self.index = exact, index
        self.looks = self.past = 0
        self.left_ns = RULE_NS
        self.failed = -1
        """Where the last look ended that found nothing; -1 after one that did."""
        self.put_off = -1
        """A place close behind that, whose look stands for all between."""
        self.given_up = False

    def at(self, end: int, text: bytes, effort: Effort, found: Found) -> None:
        """Look at the candidate that ends at `end`, now or with those that follow closely."""
        if self.given_up:
            return
        stride = self.exact.rule.before // 2
        if self.failed >= 0 and self.looks >= PATIENCE and end - self.failed <= stride:
            self.put_off = end
            return
        if self.put_off >= 0:
            self.look(self.put_off, text, effort, found)
            if self.failed >= 0 and end - self.failed <= stride:
                self.put_off = end
                return
        self.look(end, text, effort, found)

    def look(self, end: int, text: bytes, effort: Effort, found: Found) -> None:
        """Look around one candidate, if there is time for it."""
        self.put_off = -1
        if self.given_up:
            return
        timed = self.looks >= PATIENCE or effort.looks >= LOOKS_FREE
        if timed and (self.left_ns <= 0 or effort.left_ns <= 0):
            self.given_up = True
            found[Finding(UNSCANNED, max(0, end - self.exact.rule.before), len(text))] = ALL_OF_IT
            return
        begun_ns = time.thread_time_ns() if timed else 0
        past = confirm(self.exact, text, end, self.past, self.index, found)
        if begun_ns:
            took_ns = time.thread_time_ns() - begun_ns
            self.left_ns -= took_ns
            effort.left_ns -= took_ns
        self.looks += 1
        effort.looks += 1
        self.failed = end if past == self.past else -1
        self.past = past


def look_closer(
    exacts: Sequence[Exact | None],
    kind: Kind,
    role: str,
    text: bytes,
    candidates: Sequence[tuple[int, int]],
    effort: Effort,
    found: Found,
) -> None:
    """Adds to `found` what the rules find at their candidates: (rule's index, end), in the order of their ends."""
    looks: dict[int, _Looks] = {}
    for index, end in candidates:
        at = looks.get(index)
        if at is None:
            exact = exacts[index]
            assert exact is not None
            at = looks[index] = _Looks(exact, index)
            at.given_up = kind not in exact.kinds or bool(exact.rule.roles and role not in exact.rule.roles)
        at.at(end, text, effort, found)
        if len(found) >= FINDINGS_MAX:
            found[Finding(UNSCANNED, end, len(text))] = ALL_OF_IT
            return
    for at in looks.values():
        if at.put_off >= 0:
            at.look(at.put_off, text, effort, found)


def confirm(exact: Exact, text: bytes, end: int, past: int, index: int, found: Found) -> int:
    """Look closely around a candidate that ends at `end`; returns the place up to which the rule has looked."""
    try:
        return _confirmed(exact, text, end, past, index, found)
    except pcre2.LibraryError:  # it stops after ten million steps
        found[Finding(UNSCANNED, max(0, end - exact.rule.before), len(text))] = ALL_OF_IT
        return len(text)


def _confirmed(exact: Exact, text: bytes, end: int, past: int, index: int, found: Found) -> int:
    rule = exact.rule
    begin = max(0, end - rule.before)
    if rule.apart:
        if end <= past:
            return past
        begin = max(begin, past)
    for match in exact.search.finditer(text, begin, min(len(text), end + rule.after)):
        if match.start() >= end:
            break
        if match.end() <= past:
            continue
        past = match.end()
        start, stop = match.span(exact.group)
        if start < stop and (rule.check is None or rule.check(text, start, stop)):
            found[Finding(index, start, stop)] = match.span()
    return past


def crosses(exact: Exact | None, text: bytes, seam: int, span: tuple[int, int]) -> bool:
    """Whether it takes both sides of a seam to find what was found by that span: what stands on one side alone was
    found there, unless it is what follows that tells."""
    start, end = span
    if end != seam or exact is None:
        return start < seam < end
    try:
        alone = exact.search.match(text, start, seam)
    except pcre2.LibraryError:
        return True
    return alone is None or alone.end() != end


def look_at(looks: Sequence[tuple[int, Rule]], block: Block, effort: Effort, found: Found) -> None:
    """Adds what rules without a pattern find in the block, while there is time for it."""
    for index, rule in looks:
        if rule.look is None or (rule.roles and block.role not in rule.roles):
            continue
        if len(block.text) > rule.most:
            continue
        if effort.left_ns <= 0:
            found[Finding(UNSCANNED, 0, len(block.text))] = ALL_OF_IT
            return
        timed = effort.looked_ns >= LOOKS_FREE_NS
        begun_ns = time.thread_time_ns() if timed else mono_ns()
        for start, end in rule.look(block):
            found[Finding(index, start, end)] = ALL_OF_IT
        if timed:
            effort.left_ns -= time.thread_time_ns() - begun_ns
        else:
            effort.looked_ns += mono_ns() - begun_ns
