"""Takes in the increases that developers ask for with their own keys, and tells them what became of each.

The directory decides what was taken: a question's id is there once, however often this is cut off between the steps.
"""

from __future__ import annotations

import threading

import msgspec

from fastgate.asking import KEPT_NS, Asked, Questions
from fastgate.clock import wall_ns
from fastgate.log import Log
from fastgate.stores.ports import BudgetStore, IncreaseView

log = Log("questions")


class Intake:
    """Over one directory. Both methods raise StoreError or OSError, and may be called from several threads."""

    def __init__(self, store: BudgetStore, questions: Questions) -> None:
        self._store = store
        self._questions = questions
        self._lock = threading.Lock()

    def take(self) -> None:
        """Into the directory what is new; then as `answer`."""
        with self._lock:
            for asked in self._questions.all():
                if asked.state == "asked":
                    self._take(asked)
        self.answer()

    def _take(self, asked: Asked) -> None:
        if self._store.take(asked) is None:
            log.warning("an increase was asked for of a budget that is gone", id=asked.id, budget=asked.budget)
            self._questions.drop(asked)
        else:
            log.info("an increase is asked for", id=asked.id, budget=asked.budget, key=asked.key)

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
