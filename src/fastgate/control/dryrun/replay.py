"""The dry run: recorded calls replayed against budgets that are only proposed, one after another, as they began.

What it assumes, and every report repeats (ASSUMPTIONS): a refused call is not made again, a downgraded one uses the
same tokens, a call counts when it began. Owns the replay; reading budgets and drawing reports are elsewhere. A million
calls take seconds, because a call that is far from every stage costs one look-up and one addition a budget.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection

from fastgate.budgets import SESSION_TAG, pause_ppm, seat, selected, selects_model, split_tag, stage_nano
from fastgate.control.dryrun.report import Flow, Outcome, Report, StageReached
from fastgate.periods import ROLLING_BUCKETS, calendar
from fastgate.selection import cell_of
from fastgate.snapshot import BudgetRow, KeyRow
from fastgate.times import LAST_NS, NS

DAY_NS = 24 * 3600 * NS
HOUR_NS = 3600 * NS

FETCH_ROWS = 20_000
"""Calls in memory at a time: about 20 MB."""

NEVER = 1 << 62
"""An amount that no cell reaches: the most that a ledger of int64 holds is twice this."""

Cheaper = Callable[[str, str, tuple[int, int, int, int, int]], int]
"""(provider, model, token classes) -> what the call would have cost less with the next cheaper model, in nano-dollars;
0 where there is none."""

_SELECT = """
SELECT at_ns, cost_nano, kind, {thread},
       input_tokens, output_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cache_read_tokens
FROM counted WHERE at_ns >= ? AND at_ns < ? AND cost_nano > 0 ORDER BY at_ns, seq
"""

_KINDS = """
SELECT id, org, team, user, key, cost_center, CASE model_used WHEN '' THEN model_asked ELSE model_used END, tags,
       provider
FROM kinds
"""

_tags = msgspec.json.Decoder(dict[str, str]).decode


def dry_run(
    connection: Connection, budgets: Sequence[BudgetRow], since_ns: int, until_ns: int, cheaper: Cheaper
) -> Report:
    """Replay the calls begun in [since_ns, until_ns). Cells start with what was recorded before `since_ns` in the
    periods that it lies in, as a new budget does."""
    driver: Any = connection.connection.driver_connection  # plain rows: SQLAlchemy's cost more than the replay
    replay = _Replay(budgets, since_ns, cheaper, _Subjects(driver))
    replay.run(_calls(driver, budgets, since_ns, until_ns))
    return replay.report(until_ns)


def history_since_ns(budgets: Sequence[BudgetRow], since_ns: int) -> int:
    """From when on calls matter to cells at `since_ns`."""
    starts = [since_ns]
    for row in budgets:
        if row.period == "rolling":
            starts.append(max(0, since_ns - row.rolling_h * HOUR_NS * (ROLLING_BUCKETS + 1) // ROLLING_BUCKETS))
        else:
            starts.append(calendar(row.period, row.tz, row.start_day, row.rolling_h).bounds(since_ns)[0])
    return min(starts)


class _Subject(NamedTuple):
    """What budgets look at in calls of one kind."""

    org: str
    team: str
    user: str
    key: str
    cost_center: str
    model: str
    tags_json: str
    provider: str


class _Subjects:
    """The texts behind the numbers of recorded calls (fastgate.control.usage_schema)."""

    def __init__(self, driver: sqlite3.Connection) -> None:
        self._driver = driver
        self.kinds = {kind: _Subject(*texts) for kind, *texts in driver.execute(_KINDS)}

    def session(self, thread: int) -> str:
        """Empty for the number 0, which no thread has."""
        found = self._driver.execute("SELECT session FROM threads WHERE id = ?", (thread,)).fetchone()
        return found[0] if found is not None else ""


def _calls(
    driver: sqlite3.Connection, budgets: Sequence[BudgetRow], since_ns: int, until_ns: int
) -> Iterator[Sequence[Any]]:
    """Priced calls in the order in which they began, in batches. Sessions are read only for a budget of them: without,
    calls that differ in nothing else share their cells."""
    by_session = any(row.level == "tag" and split_tag(row.of)[0] == SESSION_TAG for row in budgets)
    asked = _SELECT.format(thread="thread" if by_session else "0")
    cursor = driver.cursor()
    try:
        cursor.execute(asked, (history_since_ns(budgets, since_ns), until_ns))
        while batch := cursor.fetchmany(FETCH_ROWS):
            yield batch
    finally:
        cursor.close()


class _Cell:
    """One budget's cell of one subject. `quiet_below`: a call after which `spent` stays below it changes nothing else.
    Valid until `end_ns`; then `renew` begins the next period, or moves the window."""

    __slots__ = (
        "buckets", "calendar", "cell", "downgrade_nano", "end_ns", "outcome", "quiet_below", "reached", "refuse_nano",
        "row", "seat", "spent", "start_ns", "subject", "thresholds",
    )  # fmt: skip

    def __init__(self, row: BudgetRow, subject: str, whose: str, cell: str) -> None:
        self.row = row
        self.cell = cell
        self.subject = subject
        self.seat = whose
        self.calendar = calendar(row.period, row.tz, row.start_day, row.rolling_h)
        self.buckets: deque[list[int]] = deque()
        """Of a rolling window: [end of the step, spent in it], oldest first."""
        self.start_ns = self.end_ns = 0
        self.spent = 0
        self.reached = 0
        """How many stages are reached."""
        self.thresholds: list[int] = []
        self.downgrade_nano = self.refuse_nano = NEVER
        self.quiet_below = 0
        self.outcome: Outcome | None = None

    def renew(self, at_ns: int, *, armed: bool) -> None:
        """Moves to the period, or the step of the window, of `at_ns`."""
        start_ns, end_ns = self.calendar.bounds(at_ns)
        if self.row.period == "rolling":
            self._slide(start_ns, end_ns)
        elif start_ns != self.start_ns or self.end_ns == 0:
            self.spent = 0
            self.outcome = None
        self.start_ns = start_ns
        # An increase that ends within the period moves the stages; spend stays.
        changes = [each.not_after_ns for each in self.row.increases if at_ns < each.not_after_ns < end_ns]
        self.end_ns = min([end_ns, *changes])
        self._set_stages(at_ns)
        if armed:
            self.arm()

    def _slide(self, start_ns: int, end_ns: int) -> None:
        """A bucket leaves when it is wholly older than the window."""
        oldest_ns = start_ns - self.row.rolling_h * HOUR_NS
        while self.buckets and self.buckets[0][0] <= oldest_ns:
            self.spent -= self.buckets.popleft()[1]
        if not self.buckets or self.buckets[-1][0] != end_ns:
            self.buckets.append([end_ns, 0])

    def _set_stages(self, at_ns: int) -> None:
        row = self.row
        self.thresholds = [stage_nano(row, at_ppm, at_ns, self.cell) for at_ppm, _ in row.stages]
        self.downgrade_nano = NEVER
        for threshold, (_, action) in zip(self.thresholds, row.stages, strict=True):
            if action == "downgrade":
                self.downgrade_nano = threshold
        ends = row.hard or any(action == "pause" for _, action in row.stages)
        self.refuse_nano = stage_nano(row, pause_ppm(row.stages), at_ns, self.cell) if ends else NEVER
        self.reached = min(self.reached, sum(threshold <= self.spent for threshold in self.thresholds))
        if row.period == "rolling" and self.reached == 0:
            self.outcome = None  # a window that has emptied begins anew

    def arm(self) -> None:
        """Says from which amount on a call needs a closer look."""
        if self.spent >= self.downgrade_nano or self.spent >= self.refuse_nano:
            self.quiet_below = 0
        else:
            following = self.thresholds[self.reached] if self.reached < len(self.thresholds) else NEVER
            self.quiet_below = min(following, self.refuse_nano)

    def refuses(self, cost_nano: int) -> bool:
        """Nothing passes the ceiling of a hard budget; a soft one refuses once its pause is reached."""
        if self.row.hard:
            return self.spent + cost_nano > self.refuse_nano
        return self.spent >= self.refuse_nano

    def charge(self, cost_nano: int) -> None:
        self.spent += cost_nano
        if self.row.period == "rolling":
            self.buckets[-1][1] += cost_nano

    def notice(self, outcomes: list[Outcome]) -> Outcome:
        """The outcome of this period, begun when something first happens in it."""
        if self.outcome is None:
            row = self.row
            self.outcome = Outcome(budget=row.id, level=row.level, subject=self.subject, seat=self.seat,
                                   start_ns=self.start_ns)  # fmt: skip
            outcomes.append(self.outcome)
        return self.outcome


class _Replay:
    """One run over the calls. Cells are found once for each set of calls that differ in nothing a budget looks at."""

    def __init__(self, budgets: Sequence[BudgetRow], since_ns: int, cheaper: Cheaper, subjects: _Subjects) -> None:
        self.subjects = subjects
        self.budgets = budgets
        self.since_ns = since_ns
        self.cheaper = cheaper
        self.cells: dict[tuple[str, str, str], _Cell] = {}
        self.flows: dict[tuple[int, int], tuple[Flow, list[_Cell], list[_Cell]]] = {}
        """Each set of calls with its cells, and those of them that are rolling windows."""
        self.outcomes: list[Outcome] = []
        self.days: dict[int, list[int]] = {}
        """Day (since the epoch, UTC) -> [recorded, avoided]."""
        self.first_ns = 0

    def run(self, batches: Iterator[Sequence[Any]]) -> None:
        flows, since_ns = self.flows, self.since_ns
        day_end_ns, day = 0, [0, 0]
        for batch in batches:
            for call in batch:
                at_ns, cost_nano = call[0], call[1]
                found = flows.get(call[2:4])
                flow, cells, windows = found if found is not None else self._flow(call[2:4])
                if at_ns < since_ns:
                    self._remember(at_ns, cost_nano, cells)
                    continue
                if at_ns >= day_end_ns:
                    self.first_ns = self.first_ns or at_ns
                    day = self.days.setdefault(at_ns // DAY_NS, [0, 0])
                    day_end_ns = (at_ns // DAY_NS + 1) * DAY_NS
                day[0] += cost_nano
                flow.calls += 1
                flow.recorded_nano += cost_nano
                for cell in cells:
                    if at_ns >= cell.end_ns or cell.spent + cost_nano >= cell.quiet_below:
                        day[1] += self._look(call, flow, cells)
                        break
                else:
                    for cell in cells:
                        cell.spent += cost_nano
                    for cell in windows:
                        cell.buckets[-1][1] += cost_nano

    def _flow(self, key: tuple[int, int]) -> tuple[Flow, list[_Cell], list[_Cell]]:
        org, team, user, key_id, cost_center, model, tags_json, _ = self.subjects.kinds[key[0]]
        session = self.subjects.session(key[1])
        tags = _tags(tags_json) if tags_json else {}
        who = KeyRow(b"", key_id, user, team, org, cost_center, tags, (), 0)
        cells: list[_Cell] = []
        for row in self.budgets:
            subject = selected(row.level, row.of, row.org, who, tags, session)
            if subject is None or not selects_model(row.models, model):
                continue
            whose = seat(who) if row.per_seat else ""
            cell = self.cells.get((row.id, subject, whose))
            if cell is None:
                cell = self.cells[row.id, subject, whose] = _Cell(row, subject, whose, cell_of(row, who, subject))
            cells.append(cell)
        windows = [cell for cell in cells if cell.row.period == "rolling"]
        made = self.flows[key] = (Flow(org=org, team=team, user=user, key=key_id), cells, windows)
        return made

    def _remember(self, at_ns: int, cost_nano: int, cells: list[_Cell]) -> None:
        """A call before the replay fills cells, and nothing else comes of it: a cell that is not armed looks closely at
        its first replayed call, and notices then what was reached before."""
        for cell in cells:
            if at_ns >= cell.end_ns:
                cell.renew(at_ns, armed=False)
            cell.charge(cost_nano)

    def _look(self, call: tuple[Any, ...], flow: Flow, cells: list[_Cell]) -> int:
        """A call near a stage, or the first of a period: what it would have cost less."""
        at_ns, cost_nano = call[0], call[1]
        for cell in cells:
            if at_ns >= cell.end_ns:
                cell.renew(at_ns, armed=True)
            self._note_stages(cell, at_ns)
        saved_nano = 0
        cheap = [cell for cell in cells if cell.spent >= cell.downgrade_nano]
        if cheap:
            subject = self.subjects.kinds[call[2]]
            saved_nano = min(cost_nano, self.cheaper(subject.provider, subject.model, call[4:9]))
        charged_nano = cost_nano - saved_nano
        for cell in cells:
            if cell.refuses(charged_nano):
                self._refused(cell, flow, at_ns, cost_nano)
                return int(cost_nano)
        if saved_nano:
            flow.downgrade(at_ns, saved_nano)
            cheap[0].notice(self.outcomes).downgrade(saved_nano)
        for cell in cells:
            cell.charge(charged_nano)
            self._note_stages(cell, at_ns)
        return saved_nano

    def _refused(self, cell: _Cell, flow: Flow, at_ns: int, cost_nano: int) -> None:
        flow.refuse(at_ns, cost_nano)
        cell.notice(self.outcomes).refuse(at_ns, cost_nano)

    def _note_stages(self, cell: _Cell, at_ns: int) -> None:
        while cell.reached < len(cell.thresholds) and cell.spent >= cell.thresholds[cell.reached]:
            at_ppm, action = cell.row.stages[cell.reached]
            cell.notice(self.outcomes).reach(StageReached(at_ppm, action, at_ns))
            cell.reached += 1
        cell.arm()

    def report(self, until_ns: int) -> Report:
        return Report(
            since_ns=self.since_ns,
            until_ns=min(until_ns, LAST_NS),
            first_ns=self.first_ns,
            budgets=[row.id for row in self.budgets],
            flows=[flow for flow, *_ in self.flows.values() if flow.calls],
            outcomes=self.outcomes,
            days=[(day, recorded, avoided) for day, (recorded, avoided) in sorted(self.days.items())],
        )
