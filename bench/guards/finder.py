"""All rules of some families over a text: Hyperscan, then the closer look, as the engine does it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import hyperscan

from fastgate.guards.closer import Found, confirm, exact_of
from fastgate.guards.engine import compile_all
from fastgate.guards.rule import Block, Kind, Rule


class Hit(NamedTuple):
    rule: Rule
    start: int
    end: int


class Finder:
    """The rules, compiled once."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        every = tuple(rules)
        self.looks = [rule for rule in every if rule.look is not None]
        self.rules = [rule for rule in every if rule.look is None]
        self.exact = [exact_of(rule) for rule in self.rules]
        self.db = None
        if self.rules:
            self.db = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
            compile_all(self.db, list(enumerate(self.rules)))
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
        confirmed: Found = {}
        past = [0] * len(self.rules)
        for index, end in self.candidates(text):
            if kind is None or kind in self.rules[index].kinds:
                past[index] = confirm(self.exact[index], text, end, past[index], index, confirmed)
        found = dict.fromkeys(Hit(self.rules[index], start, end) for index, start, end in confirmed)
        for rule in self.looks:
            if (kind is None or kind in rule.kinds) and len(text) <= rule.most:
                block = Block(kind or min(rule.kinds), "user", text, "", tuple(tools))
                assert rule.look is not None
                for start, stop in rule.look(block):
                    found[Hit(rule, start, stop)] = None
        return list(found)
