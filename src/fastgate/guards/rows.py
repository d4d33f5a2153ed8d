"""Which rows of `guards:` name a family of ours and which a vendor, and whether each can be used as it stands.

Loads the vendors' files only where a row names something that is no family.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from fastgate.guards.policy import rules_of
from fastgate.guards.rule import RuleError, load_scanners

if TYPE_CHECKING:
    from fastgate.snapshot import GuardRow


def split(rows: Iterable[GuardRow]) -> tuple[tuple[GuardRow, ...], tuple[GuardRow, ...]]:
    """The rows of families, or of nothing that exists, and those of vendors."""
    rows = tuple(rows)
    shipped = load_scanners()
    if all(row.use in shipped for row in rows):
        return rows, ()
    from fastgate.guards.adapters.vendors import VENDORS

    return tuple(row for row in rows if row.use not in VENDORS), tuple(row for row in rows if row.use in VENDORS)


def check(row: GuardRow) -> None:
    """RuleError for a family, vendor, rule or setting that does not exist."""
    shipped = load_scanners()
    if row.use in shipped:
        rules_of(row, shipped)
        return
    from fastgate.guards.adapters import vendors

    if row.use not in vendors.VENDORS:
        there = f"{', '.join(sorted(shipped))}; of vendors: {', '.join(vendors.VENDORS)}"
        raise RuleError(f"no guard is called {row.use}; there are: {there}")
    vendors.check(row)
