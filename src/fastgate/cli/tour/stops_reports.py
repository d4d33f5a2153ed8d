"""Stops about reports: the same money in every form."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from fastgate.cli.tour import expect
from fastgate.cli.tour.stage import Stage


def reports_agree(stage: Stage) -> Iterator[str]:
    """Grouped by model, as a FOCUS export and as a forecast, spend is the same sum to the nano-dollar."""
    yield "fastgate spend --focus"
    exported = stage.fastgate("spend", "--focus")["items"]
    billed = sum((Decimal(row["BilledCost"]) for row in exported), Decimal(0))
    yield f"{len(exported)} rows, a day each; BilledCost adds up to ${billed}"
    total = stage.fastgate("spend", "--by", "model")["total"]
    expect(Decimal(total["cost"]) == billed > 0, f"${total['cost']}, the total of `fastgate spend --by model`")
    ahead = stage.fastgate("spend", "--by", "team", "--forecast", "month")["total"]["forecast"]
    expect(Decimal(ahead["expected"]) >= billed, "a forecast that is no less than what is spent")
    yield f"fastgate spend --forecast month: ${ahead['expected']} by {ahead['to'][:10]} ({ahead['method']})"
