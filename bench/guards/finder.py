"""All rules of some families over a text: Hyperscan, then the closer look, as the engine does it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import hyperscan

from fastgate.guards.rule import Block, Kind, Rule


class Hit(NamedTuple):
    rule: Rule
    start: int
    end: int


def _flags(rule: Rule) -> int:
    flags: int = hyperscan.HS_FLAG_CASELESS if rule.caseless else 0
    flags |= hyperscan.HS_FLAG_DOTALL if rule.dotall else 0
    return flags | (hyperscan.HS_FLAG_MULTILINE if rule.lines else 0)


class Finder:
    """The rules, compiled once."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        every = tuple(rules)
        self.looks = [rule for rule in every if rule.look is not None]
        self.rules = [rule for rule in every if rule.look is None]
        self.exact: list[re.Pattern[bytes]] = []
        for rule in self.rules:
            flags = (re.IGNORECASE if rule.caseless else 0) | (re.DOTALL if rule.dotall else 0)
            flags |= re.MULTILINE if rule.lines else 0
            self.exact.append(re.compile((rule.exact or rule.pattern).encode(), flags))
        self.db = None
        if self.rules:
            self.db = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
            self.db.compile(
                expressions=[rule.pattern.encode() for rule in self.rules],
                ids=list(range(len(self.rules))),
                elements=len(self.rules),
                flags=[_flags(rule) for rule in self.rules],
            )
            self.scratch = hyperscan.Scratch(self.db)

    def candidates(self, text: bytes) -> list[tuple[int, int]]:
        """(rule's index, end) of every match of a pattern."""
        found: list[tuple[int, int]] = []
        if self.db is not None:
            self.db.scan(
                text, match_event_handler=lambda i, _s, end, _f, _c: found.append((i, end)), scratch=self.scratch
            )
        return found

    def hits(self, text: bytes, kind: Kind | None = None, tools: Sequence[str] = ()) -> list[Hit]:
        """What the rules find; of one kind of block, or of any."""
        found: dict[Hit, None] = {}
        for index, end in self.candidates(text):
            rule, exact = self.rules[index], self.exact[index]
            if kind is not None and kind not in rule.kinds:
                continue
            group: int | str = "secret" if "secret" in exact.groupindex else 0
            for match in exact.finditer(text, max(0, end - rule.before), min(len(text), end + rule.after)):
                if match.start() >= end:
                    break
                start, stop = match.span(group)
                if rule.check is None or rule.check(text, start, stop):
                    found[Hit(rule, start, stop)] = None
        for rule in self.looks:
            if kind is None or kind in rule.kinds:
                block = Block(kind or min(rule.kinds), "user", text, "", tuple(tools))
                assert rule.look is not None
                for start, stop in rule.look(block):
                    found[Hit(rule, start, stop)] = None
        return list(found)
