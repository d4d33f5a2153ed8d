"""A deployment's own rules: a regular expression, a condition over the block, or both."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from fastgate.guards.rule import REQUEST, Block, Kind, Place, Rule, Scanner, Severity
from fastgate.guards.scanners._conditions import Condition, parse

MAX_RULES = 500


class Custom(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One rule."""

    id: str
    """Its id, `a-z0-9-`; records and refusals call it `custom-ID`."""
    sample: str
    """A text that must fire: the self-test at start-up sends it."""
    title: str = ""
    """Completes "this holds ..."."""
    pattern: str = ""
    """A regular expression without look-around that ends in an exact count; absent: every block is looked at."""
    exact: str = ""
    """A Python regular expression for the closer look; its group `secret` is what is hidden."""
    when: str = ""
    """A condition over the block: `tool == "Bash" && size > 1000 && text.contains("prod")`."""
    caseless: bool = False
    """Whether letters' case does not matter."""
    kinds: tuple[Kind, ...] = ()
    """Kinds of blocks; empty: all of the request."""
    severity: Severity = "high"
    """low, medium, high or critical."""


class Customs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the scanner `custom`."""

    rules: tuple[Custom, ...] = ()
    """The rules."""


def _rule(own: Custom) -> Rule:
    if not re.fullmatch(r"[a-z0-9-]{1,60}", own.id):
        raise ValueError(f"custom: {own.id!r} is no id; use a-z, 0-9 and -")
    if not own.pattern and not own.when:
        raise ValueError(f"custom rule {own.id}: needs a pattern or a condition")
    if own.exact and not own.pattern:
        raise ValueError(f"custom rule {own.id}: exact needs a pattern that says where to look")
    condition: Condition | None = parse(own.when) if own.when else None
    for name, text in (("pattern", own.pattern), ("exact", own.exact)):
        try:
            re.compile(text.encode())
        except re.error as exc:
            raise ValueError(f"custom rule {own.id}: {name}: {exc}") from None
    kinds = frozenset(own.kinds) or REQUEST
    title = own.title or f"what the rule {own.id} looks for"
    if condition is None:
        return Rule(
            id=f"custom-{own.id}",
            title=title,
            pattern=own.pattern,
            exact=own.exact,
            caseless=own.caseless,
            kinds=kinds,
            severity=own.severity,
            samples=(own.sample,),
        )
    search = re.compile((own.exact or own.pattern or r"(?s).+").encode(), re.IGNORECASE if own.caseless else 0)
    group: int | str = "secret" if "secret" in search.groupindex else 0

    def look(block: Block) -> Iterator[Place]:
        if condition(block):
            for match in search.finditer(block.text):
                yield match.span(group)

    return Rule(
        id=f"custom-{own.id}", title=title, look=look, kinds=kinds, severity=own.severity, samples=(own.sample,)
    )


def make(settings: Customs) -> tuple[Rule, ...]:
    """The deployment's rules. ValueError names the rule and what is wrong with it."""
    if len(settings.rules) > MAX_RULES:
        raise ValueError(f"custom: at most {MAX_RULES} rules")
    ids = [own.id for own in settings.rules]
    if twice := sorted({each for each in ids if ids.count(each) > 1}):
        raise ValueError(f"custom: two rules are called {twice[0]}")
    return tuple(map(_rule, settings.rules))


SCANNER = Scanner(name="custom", title="Rules of the deployment's own", settings=Customs, make=make)
