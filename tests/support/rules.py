"""A rule on its own: what the engine does with Hyperscan, done with Python's regular expressions alone."""

from __future__ import annotations

import re
from functools import cache

from fastgate.guards.rule import Block, Place, Rule, load_scanners


@cache
def _compiled(rule: Rule) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    flags = re.IGNORECASE if rule.caseless else 0
    flags |= re.DOTALL if rule.dotall else 0
    flags |= re.MULTILINE if rule.lines else 0
    return re.compile(rule.pattern.encode(), flags), re.compile((rule.exact or rule.pattern).encode(), flags)


def places(rule: Rule, text: str | bytes, *, tool: str = "", tools: tuple[str, ...] = ()) -> list[Place]:
    """Where the rule finds something in the text, once a place, in order."""
    raw = text.encode() if isinstance(text, str) else text
    if rule.look is not None:
        if len(raw) > rule.most:
            return []
        block = Block(kind=min(rule.kinds), role="user", text=raw, tool=tool, tools=tools)
        return sorted(set(rule.look(block)))
    trigger, exact = _compiled(rule)
    group: int | str = "secret" if "secret" in exact.groupindex else 0
    found = set()
    for candidate in trigger.finditer(raw):
        low, high = max(0, candidate.end() - rule.before), min(len(raw), candidate.end() + rule.after)
        for match in exact.finditer(raw, low, high):
            start, end = match.span(group)
            if match.start() < candidate.end() and (rule.check is None or rule.check(raw, start, end)):
                found.add((start, end))
    return sorted(found)


@cache
def rule_named(name: str) -> Rule:
    """The built-in rule of that id."""
    return next(rule for scanner in load_scanners().values() for rule in scanner.rules if rule.id == name)


def found_text(name: str, text: str) -> list[str]:
    """What the built-in rule `name` would hide in the text."""
    raw = text.encode()
    return [raw[start:end].decode() for start, end in places(rule_named(name), raw)]
