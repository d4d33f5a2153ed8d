"""Values that are secret because of the name they are given to: `VENDOR_KEY = "..."` in any notation.

Owns the shape of an assignment (code, JSON, YAML, shell, XML, command lines, headers) and the rule of one vendor.
"""

from __future__ import annotations

from fastgate.guards.rule import Check, Rule, Severity
from fastgate.guards.scanners import _formats

NAME_REST = r"[\w.\- \t\[\]]{0,32}"
"""What may follow the vendor's word in the name: `_api_key`, `.secret`, ` token`."""

ASSIGNS = r"[\"'`\])]{0,3}\s{0,3}(?:=>|:=|\?=|\|\||[=:>,(])[\s=]{0,4}(?:[brfu@\\]{0,2}[\"'`]|(?:os\.)?environ\[)?"
"""Quotes that close the name, the sign of assignment, a quote that opens the value."""

AFTER_VALUE = r"(?![A-Za-z0-9_+/=-])"

SPAN = 120
"""Bytes from the vendor's word to the place where a candidate ends: the longest word, name, sign and twenty signs."""


def assigned(words: str, value: str) -> str:
    """The exact form: one of `words`, the rest of the name, an assignment, the value as the group `secret`."""
    return f"(?i:{words.replace('_?', '[_. -]?')}){NAME_REST}{ASSIGNS}(?P<secret>{value}){AFTER_VALUE}"


def trigger(words: str, value: str) -> str:
    """The cheap form for Hyperscan: the same with the shortest value, and at most twenty signs of it."""
    first = _formats.parts(value)
    shortest: list[str] = []
    kept = 0
    for part in first:
        take = min(part.low, _formats.TRIGGER_TAIL - kept)
        shortest.append(part.times(take))
        kept += take
        if take < part.high or kept >= _formats.TRIGGER_TAIL:
            break
    return f"(?i:{words.replace('_?', '[_. -]?')}){NAME_REST}{ASSIGNS}{''.join(shortest)}"


def named_rule(name: str, words: str, value: str, *, severity: Severity = "high", check: Check | None = None) -> Rule:
    """The rule of one vendor's key that only its name gives away."""
    judge = _formats.plausible(check)
    word = words.partition("|")[0].replace("_?", "_")
    fires, _ = _formats.sampled(value, judge, None, word + '_KEY = "{}"')
    length = _formats.longest(value)
    return Rule(
        id=name,
        title=f"a key of the format {name}",
        pattern=trigger(words, value),
        exact=assigned(words, value),
        before=SPAN,
        after=length + 8,
        check=judge,
        severity=severity,
        hold=SPAN + length,
        samples=(fires,),
        clean=(f'{word}_KEY = "changeme-changeme"', f'{word}_KEY = os.environ["{word.upper()}_KEY"]'),
    )


def named_rules(table: str) -> tuple[Rule, ...]:
    """A table of lines `name words pattern`."""
    lines = (line.split() for line in table.strip().splitlines())
    return tuple(named_rule(name, words, value.replace("<uuid>", _formats.UUID)) for name, words, value in lines)
