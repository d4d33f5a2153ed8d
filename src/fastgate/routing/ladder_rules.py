"""The rules of the ladder: which of them a call falls under. The first that holds decides.

Pure: what a rule looks at is asked of a `Sight`, cheapest first and only where the answer matters, so a record that
kept the answers gives the same rule again. Must not know prices, nor what becomes of a decision.
"""

from __future__ import annotations

from datetime import datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Protocol
from zoneinfo import ZoneInfo

from fastgate.times import NS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastgate.snapshot import RuleRow

STAGES = ("", "alert", "downgrade", "pause")
"""From the mildest on."""

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Caller(Protocol):
    """A KeyRow, or a CallRecord."""

    @property
    def org(self) -> str: ...
    @property
    def team(self) -> str: ...
    @property
    def user(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def cost_center(self) -> str: ...
    @property
    def tags(self) -> Mapping[str, str]: ...


class Sight(Protocol):
    """What rules see of one call. Methods may be dear and are asked once or not at all."""

    at_ns: int
    model: str
    request_class: str
    tools: bool

    @property
    def who(self) -> Caller: ...
    def stage(self) -> str: ...
    def tokens(self) -> tuple[int, int]:
        """Of the whole prompt, and of it what is not warm."""

    def tool_use(self) -> bool: ...
    def bounded_edit(self) -> bool: ...


def first_rule(rules: Sequence[RuleRow], sight: Sight) -> int:
    """The place of the first rule that holds, -1 for none."""
    return next((index for index, rule in enumerate(rules) if holds(rule, sight)), -1)


def holds(rule: RuleRow, sight: Sight) -> bool:
    """Whether all that the rule names is so."""
    if rule.request_class and sight.request_class not in rule.request_class:
        return False
    if rule.model and not fnmatchcase(sight.model, rule.model):
        return False
    if rule.tools is not None and rule.tools != sight.tools:
        return False
    if rule.who and not all(fnmatchcase(getattr(sight.who, name), glob) for name, glob in rule.who.items()):
        return False
    if rule.tags and not all(fnmatchcase(sight.who.tags.get(name, ""), glob) for name, glob in rule.tags.items()):
        return False
    if (rule.hours or rule.days) and not in_time(rule, sight.at_ns):
        return False
    if rule.stage and STAGES.index(sight.stage()) < STAGES.index(rule.stage):
        return False
    if not within(rule, sight):
        return False
    if rule.tool_use is not None and rule.tool_use != sight.tool_use():
        return False
    return rule.bounded_edit is None or rule.bounded_edit == sight.bounded_edit()


def within(rule: RuleRow, sight: Sight) -> bool:
    """Whether prompt and what is new of it lie between the rule's bounds, none of them included."""
    if rule.input_tokens == rule.new_input_tokens == (None, None):
        return True
    whole, new = sight.tokens()
    return between(whole, *rule.input_tokens) and between(new, *rule.new_input_tokens)


def between(tokens: int, above: int | None, below: int | None) -> bool:
    return (above is None or tokens > above) and (below is None or tokens < below)


def in_time(rule: RuleRow, at_ns: int) -> bool:
    """Whether the call came in the rule's hours. Hours over midnight are of the day on which they begin."""
    local = datetime.fromtimestamp(at_ns // NS, ZoneInfo(rule.tz))
    day, minute = local.weekday(), local.hour * 60 + local.minute
    if rule.hours is not None:
        begin, end = rule.hours
        if begin < end:
            if not begin <= minute < end:
                return False
        elif minute < end:
            day = (day - 1) % 7
        elif minute < begin:
            return False
    return not rule.days or WEEKDAYS[day] in rule.days
