"""Takes in the increases that developers ask for with their own keys, and tells them what became of each.

The directory decides what was taken: a question's id is there once, however often this is cut off between the steps.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol

import msgspec

from fastgate.asking import KEPT_NS, Asked, Questions
from fastgate.clock import mono_ns, wall_ns
from fastgate.log import Log
from fastgate.snapshot import BudgetRow
from fastgate.stores.ports import BudgetStore, IncreaseView, StoreError
from fastgate.times import NS

log = Log("questions")


class Approvers(Protocol):
    """Whoever decides, as alerts.desk reaches them. All raise StoreError."""

    def asked(self, row: BudgetRow, view: IncreaseView) -> None: ...

    def decided(self, view: IncreaseView) -> None: ...

    def waiting(self, views: Sequence[IncreaseView], before_ns: int) -> None: ...


SWEEP_NS = 60 * NS
"""How often all that waits is looked at: what could not be told is told, incidents of what waits no more end."""

PAGE = 1000


class Intake:
    """Over one directory. `take` and `answer` raise StoreError or OSError; all may be called from several threads."""

    def __init__(self, store: BudgetStore, questions: Questions, approvers: Approvers) -> None:
        self._store = store
        self._questions = questions
        self._approvers = approvers
        self._swept_ns = 0
        self._lock = threading.Lock()

    def take(self) -> None:
        """Into the directory what is new; then as `answer`."""
        with self._lock:
            for asked in self._questions.all():
                if asked.state == "asked":
                    self._take(asked)
            if mono_ns() - self._swept_ns >= SWEEP_NS or not self._swept_ns:
                self._sweep()
                self._swept_ns = mono_ns()
        self.answer()

    def _take(self, asked: Asked) -> None:
        view = self._store.take(asked)
        if view is None:
            log.warning("an increase was asked for of a budget that is gone", id=asked.id, budget=asked.budget)
            self._questions.drop(asked)
        else:
            log.info("an increase is asked for", id=asked.id, budget=asked.budget, key=asked.key)
            self.ask(view)

    def ask(self, view: IncreaseView) -> None:
        """Tell whoever decides of what waits. Alerts must not stand in the way of what they are about: what the disk
        does not take now, the next sweep tells."""
        try:
            if view.state == "requested":
                self._approvers.asked(self._store.show(view.budget).row, view)
        except StoreError as error:
            log.error("nobody can be told of an increase that waits", id=view.id, why=error)

    def _sweep(self) -> None:
        """All that waits, whoever asked and however; nothing that was asked for since then is judged by it."""
        now_ns = wall_ns()
        waiting: list[IncreaseView] = []
        after: str | None = ""
        while after is not None:
            views, after = self._store.increases("", after, PAGE, "requested")
            waiting += [view for view in views if now_ns < view.not_after_ns]
        try:
            self._approvers.waiting(waiting, now_ns - SWEEP_NS)
        except StoreError as error:
            log.error("nobody can be told of increases that wait", count=len(waiting), why=error)

    def decided(self, view: IncreaseView) -> None:
        """Incidents of it end."""
        try:
            self._approvers.decided(view)
        except StoreError as error:
            log.error("nobody can be told that an increase is decided", id=view.id, why=error)

    def answer(self) -> None:
        """Into the questions' files how they stand; those that are over for a day go."""
        with self._lock:
            questions = self._questions.all()
            stand = self._store.stand([asked.id for asked in questions]) if questions else {}
            for asked in questions:
                self._tell(asked, stand.get(asked.id))

    def _tell(self, asked: Asked, view: IncreaseView | None) -> None:
        if view is None:
            if asked.state != "asked":  # it went with its budget
                self._questions.drop(asked)
            return
        told = msgspec.structs.replace(asked, state=view.state, decided_by=view.decided_by, decided_ns=view.decided_ns)
        if told.over_ns() + KEPT_NS < wall_ns():
            self._questions.drop(asked)
        elif told != asked:
            self._questions.write(told)
