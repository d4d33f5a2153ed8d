"""What a recorded call would have cost less one step down the cascade: the dry run's view of prices."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from fastgate._core.money import PriceRow
from fastgate._core.usage import Usage
from fastgate.prices.book import PriceBook, PriceData, family_of

Rows = tuple[PriceRow, PriceRow]


class NextCheaper:
    """A `Cheaper` over one price list and the steps of a cascade, (glob, model) from the dearest on, as workers have
    them: to the model of the next step, at the same kind of endpoint. What stands on no step, or on the last, stays."""

    def __init__(self, data: PriceData, steps: Sequence[tuple[str, str]]) -> None:
        self._book = PriceBook(data)
        self._steps = steps
        self._rows: dict[tuple[str, str], Rows | None] = {}

    def __call__(self, provider: str, model: str, tokens: tuple[int, int, int, int, int]) -> int:
        if (provider, model) not in self._rows:
            self._rows[provider, model] = self._find(provider, model)
        rows = self._rows[provider, model]
        if rows is None:
            return 0
        plain, output, write_5m, write_1h, read = tokens
        usage = Usage.of(
            input_tokens=plain,
            output_tokens=output,
            cache_write_5m_tokens=write_5m,
            cache_write_1h_tokens=write_1h,
            cache_read_tokens=read,
        )
        return max(0, rows[0].cost(usage) - rows[1].cost(usage))

    def target(self, model: str) -> str:
        """The model that a call would go to; empty where it would not."""
        names = (model, family_of(model))
        for index, (glob, _) in enumerate(self._steps[:-1]):
            if any(fnmatchcase(name, glob) for name in names):
                return self._steps[index + 1][1]
        return ""

    def _find(self, provider: str, model: str) -> Rows | None:
        target = self.target(model)
        return (self._book.row(provider, model), self._book.row(provider, target)) if target else None
