"""Stops about reports: the same money in every form."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from fastgate.cli.demo_world import ORG
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


PROPOSED = """\
budgets: [{id: each-user, level: org, of: demo, per_seat: true, period: day, usd: 0.001}]
"""


def proposed_budgets(stage: Stage) -> Iterator[str]:
    """Budgets that are only proposed, replayed over the calls of this tour: who would have been refused, from when."""
    yield "fastgate budgets dry-run -f proposed.yaml --since 1h"
    path = Path(stage.folder.name) / "proposed.yaml"
    path.write_text(PROPOSED.replace("demo", ORG))
    report = stage.fastgate("budgets", "dry-run", "-f", str(path), "--since", "1h", "--html", f"{path}.html")
    total = report["total"]
    yield f"of ${total['recorded']} in {total['calls']} calls ${total['avoided']} would have been avoided"
    for item in report["items"]:
        stages = ", ".join(f"{reached['do']} at {reached['when'][11:19]}" for reached in item["stages"])
        yield f"{item['seat']}: {stages or 'no stage'}, {item['refused_calls']} calls refused"
    expect(total["refused_calls"] > 0, "calls that a tenth of a cent a day does not allow")
    kept = Decimal(total["recorded"]) - Decimal(total["avoided"])
    expect(Decimal(total["replayed"]) == kept, "money that is neither made nor lost")
    expect("<svg" in Path(f"{path}.html").read_text(encoding="utf-8"), "a page with a plot")
