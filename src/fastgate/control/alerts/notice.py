"""What an alert says, the same for every channel. Knows neither channels nor receivers."""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from fastgate.amounts import dollars, exact, percent
from fastgate.budgets import ceiling_nano, stage_nano
from fastgate.periods import calendar
from fastgate.snapshot import BudgetRow
from fastgate.stores.ports import IncreaseView
from fastgate.times import rfc3339

Severity = Literal["info", "warning", "critical"]
Kind = Literal["stage", "request", "decision", "operator", "test", "cleared"]

CLEARED = "cleared:"
"""Begins the key of what tells that an alert has cleared."""

HOUR_NS = 3600 * 1_000_000_000


class StageChange(Protocol):
    """A budget's cell that has come to another stage, as the control plane's stages tell it."""

    @property
    def budget(self) -> str: ...
    @property
    def created_ns(self) -> int: ...
    @property
    def cell(self) -> str: ...
    @property
    def period_start_ns(self) -> int: ...
    @property
    def stage(self) -> str: ...
    @property
    def spent_nano(self) -> int: ...
    @property
    def at_ns(self) -> int: ...


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One alert. `key` names what it is about, and `period_ns` when that begins anew: of both together there is one
    alert. `repeat_ns` is for what has no period: the least time between two. `topic` groups what services group."""

    key: str
    period_ns: int = 0
    repeat_ns: int = 0
    at_ns: int
    kind: Kind
    severity: Severity
    topic: str
    title: str
    text: str
    facts: tuple[tuple[str, str], ...] = ()


def stage_notice(row: BudgetRow, change: StageChange) -> Notice | None:
    """What a stage says; None where the cell has left its stages again."""
    reached = [
        (at_ppm, do)
        for at_ppm, do in row.stages
        if stage_nano(row, at_ppm, change.at_ns, change.cell) <= change.spent_nano
    ]
    if not change.stage or not reached:
        return None
    at_ppm, action = reached[-1]
    cell = f" of {change.cell}" if change.cell else ""
    subject = f"{row.level} {row.of}"
    happens = {
        "alert": "Calls go on.",
        "downgrade": "Calls go on with cheaper models, where routing.cascade has one.",
        "pause": "New calls are refused.",
    }[action]
    ceiling = ceiling_nano(row, change.at_ns, change.cell)
    facts = [
        ("Budget", row.id + cell),
        ("Of", subject),
        ("Spent", f"$ {dollars(change.spent_nano)}"),
        ("Limit", f"$ {exact(row.usd_nano)} a {row.period}" if row.period != "rolling" else _window(row)),
        ("Ceiling", "none: a soft budget" if ceiling is None else f"$ {exact(ceiling)}"),
        ("Stage", f"{action} at {percent(at_ppm)}"),
    ]
    if row.period not in ("total", "rolling"):
        _, ends_ns = calendar(row.period, row.tz, row.start_day, row.rolling_h).bounds(change.at_ns)
        facts.append(("Begins anew", rfc3339(ends_ns)))
    rolling = row.period == "rolling"
    return Notice(
        key=stage_key(row, change.cell, at_ppm),
        period_ns=0 if rolling else change.period_start_ns,
        repeat_ns=row.rolling_h * HOUR_NS if rolling else 0,
        at_ns=change.at_ns,
        kind="stage",
        severity="critical" if action == "pause" else "warning",
        topic=f"{row.id}{cell}",
        title=f"Budget {row.id}{cell}: {percent(at_ppm)} is spent",
        text=f"{subject} has spent $ {dollars(change.spent_nano)} of $ {exact(row.usd_nano)}. {happens}",
        facts=tuple(facts),
    )


def request_notice(row: BudgetRow, view: IncreaseView) -> Notice:
    """An increase that waits for somebody to decide, and how."""
    cell = f" of {view.cell}" if view.cell else ""
    amount, until = f"$ {exact(view.amount_nano)}", rfc3339(view.not_after_ns)
    return Notice(
        key=request_key(view.id),
        at_ns=view.requested_ns,
        kind="request",
        severity="info",
        topic=f"{row.id}{cell}",
        title=f"Budget {row.id}{cell}: {amount} more is asked for",
        text=f"{view.requested_by} asks until {until}: {view.reason}",
        facts=(
            ("Increase", view.id),
            ("Budget", row.id + cell),
            ("Of", f"{row.level} {row.of}"),
            ("More", amount),
            ("Limit", f"$ {exact(row.usd_nano)} a {row.period}" if row.period != "rolling" else _window(row)),
            ("To grant it", f"fastgate budgets approve {view.id}"),
            ("To refuse it", f"fastgate budgets deny {view.id}"),
        ),
    )


DECIDED = {"approved": "is granted", "denied": "is refused", "ended": "has ended"}


def decision_notice(view: IncreaseView) -> Notice:
    """What became of an increase, for whom asked for it."""
    cell = f" of {view.cell}" if view.cell else ""
    until = f" until {rfc3339(view.not_after_ns)}" if view.state == "approved" else ""
    return Notice(
        key=f"decision:{view.id}:{view.state}",
        at_ns=view.decided_ns,
        kind="decision",
        severity="info",
        topic=f"{view.budget}{cell}",
        title=f"Budget {view.budget}{cell}: $ {exact(view.amount_nano)} more {DECIDED[view.state]}",
        text=f"{view.decided_by} has decided on what you asked for{until}: {view.reason}",
        facts=(("Increase", view.id), ("Budget", view.budget + cell)),
    )


def request_key(increase_id: str) -> str:
    """Names the question of an increase."""
    return f"request:{increase_id}"


def incident_of(notice: Notice) -> str:
    """What services that know incidents take for one: the same when an alert is sent again, and when it has cleared."""
    return notice.key.removeprefix(CLEARED) + f":{notice.period_ns or notice.at_ns}"


def cleared_notice(raised: Notice, at_ns: int) -> Notice:
    """What `raised` told of is no more: spend is below the stage, its period is over, the question is decided."""
    return Notice(
        key=CLEARED + raised.key,
        period_ns=raised.period_ns or raised.at_ns,
        at_ns=at_ns,
        kind="cleared",
        severity="info",
        topic=raised.topic,
        title=f"Cleared: {raised.title}",
        text="It waits no more." if raised.kind == "request" else "The stage is in force no more.",
    )


def stage_key(row: BudgetRow, cell: str, at_ppm: int) -> str:
    """Names a stage of a cell."""
    return f"{cell_key(row.id, row.created_ns, cell)}{at_ppm}"


def cell_key(budget: str, created_ns: int, cell: str) -> str:
    """How the names of a cell's stages begin."""
    return f"stage:{budget}:{created_ns}:{cell}:"


def operator_notice(
    what: str, title: str, text: str, at_ns: int, repeat_ns: int, severity: Severity = "critical"
) -> Notice:
    """Something that the gateway's operator must mend; `what` names it."""
    return Notice(
        key=f"operator:{what}",
        repeat_ns=repeat_ns,
        at_ns=at_ns,
        kind="operator",
        severity=severity,
        topic=what,
        title=title,
        text=text,
    )


def trial_notice(at_ns: int) -> Notice:
    """What `fastgate alerts test` sends."""
    return Notice(
        key=f"test:{at_ns}",
        at_ns=at_ns,
        kind="test",
        severity="info",
        topic="test",
        title="fastgate can reach this channel",
        text="This is a test that somebody asked for with `fastgate alerts test`. Nothing has happened.",
    )


def _window(row: BudgetRow) -> str:
    return f"$ {exact(row.usd_nano)} in {row.rolling_h} hours"
