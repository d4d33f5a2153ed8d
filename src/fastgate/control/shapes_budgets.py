"""Budgets, increases and pauses as the admin API and the command line are given them. Conventions as in shapes.py."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from fastgate.control.shapes import Change, Moment, Usd
from fastgate.control.shapes_cache import CacheShare

Part = Annotated[str, Meta(description="part of the limit, decimal: 0.8 is 80 %")]


class Stage(msgspec.Struct, frozen=True):
    """`usd` is the spend at which it begins now, live increases included."""

    at: Part
    do: str
    usd: Usd


class Raise(msgspec.Struct, frozen=True):
    """A live increase: its amount and when it ends."""

    usd: Usd
    until: Moment
    cell: str | None = None
    """The member or value that alone it raises; null raises each."""


class Member(msgspec.Struct, frozen=True):
    """A cell of a budget that has one for each member or value, in the period now. `held` is of calls in flight, and of
    workers for the next ones; `ceiling` counts the cell's own increases, null for a soft budget."""

    member: str
    limit: Usd
    ceiling: Usd | None
    spent: Usd
    held: Usd
    remaining: Usd
    stage: str


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """A budget. `limit` is its amount; `ceiling` is what nothing passes: limit times the `at` of the pause stage, and
    live increases; null for a soft budget. `spent` and `held` are of the period now, null where each member or
    value has its own. `starts_at` and `resets_at` are of the period now; null where it has none
    (total, rolling)."""

    id: str
    level: str
    of: str
    org: str
    per_seat: bool
    models: list[str]
    period: str
    rolling_h: int | None
    tz: str
    start_day: int
    mode: Literal["hard", "soft"]
    limit: Usd
    ceiling: Usd | None
    spent: Usd | None
    held: Usd | None
    stages: list[Stage]
    increases: list[Raise]
    starts_at: Moment | None
    resets_at: Moment | None
    created: Moment
    origin: str
    members: Sequence[Member] | None = None
    """Of one budget that is shown and has a cell for each member or value: those with spend, the most spent first."""
    cache: CacheShare | None = None
    """Of one budget that is shown: what the cache answered of its calls in the period now."""


class NewStage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    at: Decimal
    do: str


class BudgetChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a budget is to be. Fields that are left out stay as they are, or get their default in a new budget, which
    needs level, of, period and usd. Only usd, mode and stages of an existing one can change."""

    level: str | None = None
    of: str | None = None
    org: str | None = None
    per_seat: bool | None = None
    models: list[str] | None = None
    period: str | None = None
    rolling_h: int | None = None
    tz: str | None = None
    start_day: int | None = None
    usd: Decimal | None = None
    mode: str | None = None
    stages: list[NewStage] | None = None


class BudgetPut(msgspec.Struct, frozen=True):
    """What putting a budget changed, or would change; an empty list where nothing."""

    dry_run: bool
    budget: Budget
    changes: list[Change]
    replay: dict[str, Any] | None = None
    """Of a dry run: what this budget would have done to the calls on record (the report of `budgets dry-run`)."""
    warnings: list[str] = []
    """What the budget names that no call has as things stand: a tag of no key, a model without a known price."""


class Increase(msgspec.Struct, frozen=True, kw_only=True):
    """A temporary increase of a budget. `decided_by` is who approved or denied it, or ended it early. An approved one
    whose end has passed is `expired`, and so is one that nobody decided in time."""

    id: str
    budget: str
    cell: str | None
    """The member or tag value whose cell alone it raises; null raises the budget, or each of its cells."""
    usd: Usd
    until: Moment
    reason: str
    state: Literal["requested", "approved", "denied", "ended", "expired"]
    requested_by: str
    requested: Moment
    decided_by: str | None
    decided: Moment | None


class NewIncrease(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`approve`: grant it at once, with the asker as approver; else it waits for a decision. `cell`: one
    member or tag value of a budget that has a cell for each; empty raises each."""

    usd: Decimal
    until: str
    reason: str
    cell: str = ""
    approve: bool = False


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """A stop by hand. `until` is null where it lasts until resumed; `org` is null except for tags."""

    level: str
    of: str
    org: str | None
    reason: str
    by: str
    since: Moment
    until: Moment | None


class NewPause(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    level: Literal["org", "team", "user", "key", "tag"]
    of: str
    reason: str
    org: str = ""
    until: str | None = None


class Reap(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whose leases are to end: of all workers whose death is proven, or of the one named. `charge`: what the named one
    has leased is charged whole, because nobody can prove that it is dead or say what of it is spent."""

    worker: str | None = None
    charge: bool = False


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker had leased, and what became of it. `pid` is null where it has no table of calls any more."""

    worker: str
    pid: int | None
    standing: Literal["alive", "frozen", "unreadable", "dead"]
    leased: Usd
    done: Literal["freed", "charged", "kept"]
    why: str


class Reaped(msgspec.Struct, frozen=True, kw_only=True):
    """What ending leases has freed and charged; `items` are all workers that had leases."""

    items: list[Lease]
    freed: Usd
    charged: Usd


def fields_given(change: BudgetChange) -> dict[str, Any]:
    """The fields of a change that are not left out, as plain values."""
    given: dict[str, Any] = {}
    for name in change.__struct_fields__:
        value = getattr(change, name)
        if value is not None:
            given[name] = msgspec.to_builtins(value)
    return given
