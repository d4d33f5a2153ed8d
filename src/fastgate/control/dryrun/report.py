"""What a dry run found: by cell and period, by team, user and key, by day; as JSON-ready values.

Shapes and sums only; the replay fills them. Money is nano-dollars here and decimal dollars in what `view` gives.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from fastgate._core.money import format_usd
from fastgate.amounts import percent
from fastgate.snapshot import BudgetLevel, StageAction
from fastgate.times import rfc3339

ASSUMPTIONS = (
    "A refused call is not made again, and a call that would have passed a ceiling is refused rather than shortened.",
    "A downgraded call uses the same tokens at the next cheaper model's price; its prompt cache is as warm.",
    "A call counts when it began; calls in flight at the same time do not hold money against each other.",
)

SUBJECTS = ("team", "user", "key")


class StageReached(NamedTuple):
    """`at_ppm` is the stage's part of the limit, in parts per million."""

    at_ppm: int
    action: StageAction
    at_ns: int


class Flow(msgspec.Struct, kw_only=True):
    """Calls of one key that differ in nothing a budget looks at. Moments are 0 where nothing happened."""

    org: str
    team: str
    user: str
    key: str
    calls: int = 0
    recorded_nano: int = 0
    refused_calls: int = 0
    refused_nano: int = 0
    downgraded_calls: int = 0
    saved_nano: int = 0
    first_refused_ns: int = 0
    first_downgraded_ns: int = 0

    def refuse(self, at_ns: int, cost_nano: int) -> None:
        self.refused_calls += 1
        self.refused_nano += cost_nano
        self.first_refused_ns = self.first_refused_ns or at_ns

    def downgrade(self, at_ns: int, saved_nano: int) -> None:
        self.downgraded_calls += 1
        self.saved_nano += saved_nano
        self.first_downgraded_ns = self.first_downgraded_ns or at_ns

    def add(self, other: Flow) -> None:
        for name in ("calls", "recorded_nano", "refused_calls", "refused_nano", "downgraded_calls", "saved_nano"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("first_refused_ns", "first_downgraded_ns"):
            both = [at_ns for at_ns in (getattr(self, name), getattr(other, name)) if at_ns]
            setattr(self, name, min(both, default=0))


class Outcome(msgspec.Struct, kw_only=True):
    """One cell in one period in which something happened. `seat` is whose cell of a per-seat budget it is. A refused
    call is booked to the first budget that refuses it, a downgraded one to the first that asks for it."""

    budget: str
    level: BudgetLevel
    subject: str
    seat: str
    start_ns: int
    stages: list[StageReached] = msgspec.field(default_factory=list)
    refused_calls: int = 0
    refused_nano: int = 0
    first_refused_ns: int = 0
    downgraded_calls: int = 0
    saved_nano: int = 0

    def reach(self, stage: StageReached) -> None:
        if all(stage.at_ppm != known.at_ppm for known in self.stages):  # once a period, also where a window swings
            self.stages.append(stage)

    def refuse(self, at_ns: int, cost_nano: int) -> None:
        self.refused_calls += 1
        self.refused_nano += cost_nano
        self.first_refused_ns = self.first_refused_ns or at_ns

    def downgrade(self, saved_nano: int) -> None:
        self.downgraded_calls += 1
        self.saved_nano += saved_nano


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A whole dry run. `first_ns` is when the first replayed call began, 0 if there was none; `days` are (days since
    the epoch in UTC, recorded, avoided)."""

    since_ns: int
    until_ns: int
    first_ns: int
    budgets: list[str]
    flows: list[Flow]
    outcomes: list[Outcome]
    days: list[tuple[int, int, int]]

    def total(self) -> Flow:
        return _sum(self.flows)

    def by(self, subject: str) -> dict[str, Flow]:
        """Sums by team, user or key, who is hit hardest first. Calls without one are under ''."""
        groups: dict[str, list[Flow]] = {}
        for flow in self.flows:
            groups.setdefault(getattr(flow, subject), []).append(flow)
        sums = {name: _sum(flows) for name, flows in groups.items()}
        return dict(sorted(sums.items(), key=lambda item: (-_avoided(item[1]), -item[1].recorded_nano, item[0])))


def _sum(flows: Iterable[Flow]) -> Flow:
    total = Flow(org="", team="", user="", key="")
    for flow in flows:
        total.add(flow)
    return total


def _avoided(flow: Flow) -> int:
    return flow.refused_nano + flow.saved_nano


def view(report: Report) -> dict[str, Any]:
    """The report as the API answers it and the command line prints it."""
    return {
        "since": rfc3339(report.since_ns),
        "until": rfc3339(report.until_ns),
        "first_call": rfc3339(report.first_ns) if report.first_ns else None,
        "days_recorded": len(report.days),
        "budgets": report.budgets,
        "total": _flow_view(report.total()),
        **{f"{name}s": [{name: who, **_flow_view(flow)} for who, flow in report.by(name).items()] for name in SUBJECTS},
        "items": [_outcome_view(outcome) for outcome in report.outcomes],
        "days": [
            {"day": _day(day), "recorded": format_usd(recorded), "replayed": format_usd(recorded - avoided)}
            for day, recorded, avoided in report.days
        ],
        "assumptions": list(ASSUMPTIONS),
        "next": None,
    }


def _flow_view(flow: Flow) -> dict[str, Any]:
    return {
        "calls": flow.calls,
        "recorded": format_usd(flow.recorded_nano),
        "replayed": format_usd(flow.recorded_nano - _avoided(flow)),
        "avoided": format_usd(_avoided(flow)),
        "refused_calls": flow.refused_calls,
        "refused": format_usd(flow.refused_nano),
        "first_refused": _when(flow.first_refused_ns),
        "downgraded_calls": flow.downgraded_calls,
        "downgrade_saved": format_usd(flow.saved_nano),
        "first_downgraded": _when(flow.first_downgraded_ns),
    }


def _outcome_view(outcome: Outcome) -> dict[str, Any]:
    return {
        "budget": outcome.budget,
        "level": outcome.level,
        "of": outcome.subject,
        "seat": outcome.seat or None,
        "period_start": rfc3339(outcome.start_ns),
        "stages": [
            {"at": percent(stage.at_ppm), "do": stage.action, "when": rfc3339(stage.at_ns)} for stage in outcome.stages
        ],
        "refused_calls": outcome.refused_calls,
        "refused": format_usd(outcome.refused_nano),
        "first_refused": _when(outcome.first_refused_ns),
        "downgraded_calls": outcome.downgraded_calls,
        "downgrade_saved": format_usd(outcome.saved_nano),
    }


def _when(at_ns: int) -> str | None:
    return rfc3339(at_ns) if at_ns else None


def _day(day: int) -> str:
    return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day):%Y-%m-%d}"
