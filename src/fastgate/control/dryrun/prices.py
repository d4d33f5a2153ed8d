"""What a recorded call would have cost less with the next cheaper model: the dry run's view of prices."""

from __future__ import annotations

import re

from fastgate._core.money import PriceRow
from fastgate._core.usage import Usage
from fastgate.control.dryrun.replay import Cheaper
from fastgate.prices.book import PriceBook, PriceData, family_of

CASCADE = ("opus", "sonnet", "haiku")
"""Families that step down to one another, the dearest first."""

_FAMILY = re.compile(r"claude-(?:[\d-]+-)?([a-z]+)(?:-(\d+))?(?:-(\d+))?")

Rows = tuple[PriceRow, PriceRow]


class NextCheaper:
    """A `Cheaper` over one price list: to the newest model of the next family of the cascade, at the same kind of
    endpoint. Models of no family in it are not downgraded."""

    def __init__(self, data: PriceData) -> None:
        self._book = PriceBook(data)
        self._newest = _newest(data)
        self._rows: dict[tuple[str, str], Rows | None] = {}

    def __call__(self, provider: str, model: str, tokens: tuple[int, int, int, int, int]) -> int:
        rows = self._rows.get((provider, model))
        if rows is None:
            if (provider, model) in self._rows:
                return 0
            rows = self._rows[provider, model] = self._find(provider, model)
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
        found = _FAMILY.match(family_of(model))
        if found is None or found[1] not in CASCADE[:-1]:
            return ""
        return self._newest.get(CASCADE[CASCADE.index(found[1]) + 1], "")

    def _find(self, provider: str, model: str) -> Rows | None:
        target = self.target(model)
        return (self._book.row(provider, model), self._book.row(provider, target)) if target else None


def _newest(data: PriceData) -> dict[str, str]:
    """The newest priced model of each family."""
    found: dict[str, tuple[tuple[int, int], str]] = {}
    for price in data.prices:
        for name in price.names:
            match = _FAMILY.fullmatch(name)
            if match is not None and match[2] is not None:
                version = (int(match[2]), int(match[3] or 0))
                found[match[1]] = max(found.get(match[1], ((0, 0), "")), (version, name))
    return {family: name for family, (_, name) in found.items()}


def next_cheaper(data: PriceData) -> Cheaper:
    return NextCheaper(data)
