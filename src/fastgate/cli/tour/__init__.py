"""`fastgate demo --tour`: each capability of the gateway, shown against a demo instance of its own, and checked.

A stop is one function in a stops_*.py file that yields the lines it shows and raises NotAsTold when what happens is not
what it tells. A new capability adds its stop to STOPS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastgate.cli.tour.stage import Stage


class NotAsToldError(Exception):
    """What happened is not what the stop tells."""


@dataclass(frozen=True)
class Stop:
    """One capability: what it is called, and the function that shows it."""

    title: str
    show: Callable[[Stage], Iterator[str]]

    @property
    def name(self) -> str:
        return self.show.__name__.replace("_", "-")

    @property
    def about(self) -> str:
        """One sentence for the reader: the function's documentation."""
        return " ".join((self.show.__doc__ or "").split())


def expect(condition: bool, told: str) -> None:
    """Stop the tour unless `condition` holds; `told` says what should have been."""
    if not condition:
        raise NotAsToldError(told)
