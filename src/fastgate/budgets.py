"""What a budget selects and how much it allows, as pure functions of its row. Both planes use these and no others.

Knows nothing of what was spent: the ledger keeps that, by cells. Money is nano-dollars.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache

from fastgate.snapshot import BudgetLevel, BudgetRow, KeyRow, Raise, StageAction

PPM = 1_000_000
"""Stages are kept in parts per million of the limit."""
EVERY = "*"
"""As a tag's value: every value has its own cell."""
SESSION_TAG, COST_CENTER_TAG = "session", "cost_center"
RESERVED_TAGS = frozenset((SESSION_TAG, COST_CENTER_TAG))
"""Tags that fastgate sets itself: the Claude Code session, and where the call is booked."""
DEFAULT_STAGES: tuple[tuple[int, StageAction], ...] = ((800_000, "alert"), (950_000, "downgrade"), (1_100_000, "pause"))

_GLOB = re.compile(r"[*?\[]")


@lru_cache(maxsize=65_536)
def selects_model(models: tuple[str, ...], model: str) -> bool:
    """Whether a budget's `models` take in a model id. A family is a word of the id: `opus` of `claude-opus-4-5`."""
    return not models or any(
        fnmatchcase(model, entry) if _GLOB.search(entry) else entry == model or entry in re.split(r"[^a-z0-9]", model)
        for entry in models
    )


def split_tag(of: str) -> tuple[str, str]:
    """`NAME=VALUE` in two."""
    name, _, value = of.partition("=")
    return name, value


def tag_value(name: str, who: KeyRow, tags: Mapping[str, str], session: str) -> str:
    """What a call has for a tag, the reserved ones included; empty where it has none. `tags` are the call's own."""
    if name == SESSION_TAG:
        return session
    if name == COST_CENTER_TAG:
        return who.cost_center
    return tags.get(name, "")


def selected(level: BudgetLevel, of: str, org: str, who: KeyRow, tags: Mapping[str, str], session: str) -> str | None:
    """What of a selector a call falls under, None for nothing: the subject's id, of a tag the call's value."""
    match level:
        case "org":
            return of if who.org == of else None
        case "team":
            return of if who.team == of else None
        case "user":
            return of if who.user == of else None
        case "key":
            return of if who.key == of else None
        case "tag":
            name, wanted = split_tag(of)
            found = tag_value(name, who, tags, session) if who.org == org else ""
            return found if found and wanted in (EVERY, found) else None


def seat(who: KeyRow) -> str:
    """Whose cell of a per-seat budget a call draws on: the user's, or the key's where no user is behind it."""
    return who.user or f"key:{who.key}"


def has_own_cells(row: BudgetRow) -> bool:
    """Whether each member or value of a tag has a cell of its own."""
    return row.per_seat or (row.level == "tag" and split_tag(row.of)[1] == EVERY)


def live_increases(row: BudgetRow, now_ns: int, cell: str) -> tuple[Raise, ...]:
    """The approved increases that raise `cell` at this moment: its own, and those of every cell. `cell` is the member
    or tag value, empty for a budget's only one, or for what every cell has."""
    return tuple(each for each in row.increases if now_ns < each.not_after_ns and each.cell in ("", cell))


def live_increases_nano(row: BudgetRow, now_ns: int, cell: str) -> int:
    """What they add to a cell."""
    return sum(each.nano for each in live_increases(row, now_ns, cell)) if row.increases else 0


def stage_nano(row: BudgetRow, at_ppm: int, now_ns: int, cell: str) -> int:
    """The spend of a cell at which a stage begins, rounded down. An increase moves every stage up by its amount."""
    return row.usd_nano * at_ppm // PPM + live_increases_nano(row, now_ns, cell)


def pause_ppm(stages: Sequence[tuple[int, StageAction]]) -> int:
    """Where calls end: at the pause stage, or at the limit where there is none."""
    return next((at_ppm for at_ppm, action in stages if action == "pause"), PPM)


def ceiling_nano(row: BudgetRow, now_ns: int, cell: str) -> int | None:
    """What nothing passes in a cell: the limit times the `at` of the pause stage, and its live increases. None for a
    soft budget."""
    return stage_nano(row, pause_ppm(row.stages), now_ns, cell) if row.hard else None


def stage_at(row: BudgetRow, settled_nano: int, now_ns: int, cell: str) -> StageAction | None:
    """The furthest stage that settled spend has reached, None below all."""
    reached: StageAction | None = None
    for at_ppm, action in row.stages:
        if settled_nano >= stage_nano(row, at_ppm, now_ns, cell):
            reached = action
    return reached
