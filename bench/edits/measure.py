"""Precision and recall of `bounded_edit` on the labelled prompts: `python -m bench.edits`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from fastgate.routing.bounded import bounded


class Score(NamedTuple):
    """`precision`: of what was called bounded, how much is. `recall`: of what is, how much was called so."""

    prompts: int
    right: int
    false_yes: list[str]
    false_no: list[str]

    @property
    def precision(self) -> float:
        said = self.right + len(self.false_yes)
        return self.right / said if said else 1.0

    @property
    def recall(self) -> float:
        real = self.right + len(self.false_no)
        return self.right / real if real else 1.0


def score(prompts: Iterable[tuple[str, bool]]) -> Score:
    right, count = 0, 0
    false_yes: list[str] = []
    false_no: list[str] = []
    for text, label in prompts:
        count += 1
        said = bounded(text)
        if said and label:
            right += 1
        elif said:
            false_yes.append(text)
        elif label:
            false_no.append(text)
    return Score(count, right, false_yes, false_no)
