"""The rules of `routing.rules` in fastgate.yaml: when a call gets another model than it asked for. Shapes and tests."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec

from fastgate.periods import zone_problem
from fastgate.strict import Check, Range

MODEL_CHARS_MAX = 256
"""Of ids and globs; the longest real ids, ARNs of Bedrock, have some 150."""

RULES_MAX = 256
"""Rules are tried one after another on each call; a hundred take some ten microseconds."""

TOKENS_MAX = 100_000_000
"""Above every prompt; ten times what a price can be asked for."""

DAY_MIN = 24 * 60


def _text_problem(text: str) -> str | None:
    return None if 0 < len(text) <= MODEL_CHARS_MAX else f"must have 1 to {MODEL_CHARS_MAX} characters"


TEXT = Check(_text_problem)

RequestClass = Literal["main", "subagent", "workflow", "auxiliary", "compaction"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

_HOURS = re.compile(r"(\d{1,2})(?::([0-5]\d))?-(\d{1,2})(?::([0-5]\d))?")


def minutes_of(hours: str) -> tuple[int, int]:
    """Minutes of the day of `09-17` or `22:30-06:00`: the first included, the second not. ValueError for other text."""
    match = _HOURS.fullmatch(hours)
    if match is None:
        raise ValueError("is written like 09-17 or 22:30-06:00")
    first, last = int(match[1]) * 60 + int(match[2] or 0), int(match[3]) * 60 + int(match[4] or 0)
    if first >= DAY_MIN or last > DAY_MIN:
        raise ValueError("a day ends at 24:00")
    if first == last:
        raise ValueError("begins and ends at the same time; leave it out for the whole day")
    return first, last


def _hours_problem(hours: str) -> str | None:
    try:
        minutes_of(hours)
    except ValueError as error:
        return str(error)
    return None


class When(msgspec.Struct, frozen=True, kw_only=True):
    """All that is named must be so. Texts of who calls are globs."""

    stage: Literal["alert", "downgrade", "pause"] | None = None
    """Some budget of the call has reached this stage, or a harder one."""
    input_tokens_lt: Annotated[int, Range(1, TOKENS_MAX)] | None = None
    """The whole prompt is expected to have fewer tokens: what is cached included."""
    input_tokens_gt: Annotated[int, Range(0, TOKENS_MAX)] | None = None
    """It is expected to have more."""
    new_input_tokens_lt: Annotated[int, Range(1, TOKENS_MAX)] | None = None
    """What is not in the warm prompt cache of the model asked for has fewer tokens."""
    new_input_tokens_gt: Annotated[int, Range(0, TOKENS_MAX)] | None = None
    """It has more."""
    request_class: tuple[RequestClass, ...] = ()
    """What Claude Code says the call is; it does with CLAUDE_CODE_GATEWAY_HINT_HEADERS=1. A sub-agent is known without.
    """
    model: Annotated[str, TEXT] | None = None
    """The model asked for."""
    tools: bool | None = None
    """The call brings tools."""
    tool_use: bool | None = None
    """Its last message answers a tool: it goes on with a turn that has begun."""
    bounded_edit: bool | None = None
    """The prompt asks for a short edit with a clear end, as far as words tell (docs/ladder.md has the figures)."""
    hours: Annotated[str, Check(_hours_problem)] | None = None
    """Time of day, like "09-17": the first hour included, the last not. May run over midnight."""
    days: tuple[Weekday, ...] = ()
    """Days of the week."""
    tz: Annotated[str, Check(zone_problem)] = "UTC"
    """Time zone of hours and days, like Europe/Berlin."""
    org: Annotated[str, TEXT] | None = None
    """Id of the organisation."""
    team: Annotated[str, TEXT] | None = None
    """Id of the team."""
    user: Annotated[str, TEXT] | None = None
    """Id of the user."""
    key: Annotated[str, TEXT] | None = None
    """Id of the virtual key."""
    cost_center: Annotated[str, TEXT] | None = None
    """The cost centre."""
    tags: dict[str, str] = {}
    """Tags and their values."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule. The first whose `when` holds decides about a call; no other is looked at."""

    when: When
    """What must be so; `{}` is every call."""
    to: Annotated[str, TEXT]
    """The model to use, an id, or a glob for the newest listed model that fits it."""


def rules_problem(rules: tuple[Rule, ...]) -> str | None:
    return None if len(rules) <= RULES_MAX else f"has {len(rules)} rules, of {RULES_MAX} at most"
