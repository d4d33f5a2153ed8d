"""What the samples say: a table per row, the ratio to nginx, and whether the goals were met."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bench.figures import median, paired_ratio, spread
from bench.load.rows import BUDGETED, CEILING, HEADLINE, HEADLINE_P99_MS, HEADLINE_REQUESTS_PER_S, ROWS, SCREENED
from bench.section import Goal

COLUMNS = ("requests/s", "spread", "p50 ms", "p99 ms", "CPU µs/call", "of it control", "of nginx")


@dataclass(frozen=True)
class Line:
    """The medians of one target in one row. `ratio` is to nginx, in pairs of one round; 0 without nginx."""

    row: str
    target: str
    requests_per_s: float
    spread: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    control_us: float
    ratio: float
    errors: int
    to_plain: float = 0.0
    """To fastgate with nothing more switched on, in pairs of one round."""

    to_open: float = 0.0
    """Of a row over TLS: to the same server without it, in pairs of one round."""

    def cells(self) -> list[str]:
        ratio = f"{self.ratio:.2f}" if self.ratio else ""
        return [
            f"{self.requests_per_s:,.0f}",
            f"±{self.spread * 50:.0f} %",
            f"{self.p50_ms:.2f}",
            f"{self.p99_ms:.2f}",
            f"{self.cpu_us:.1f}" if self.cpu_us else "",
            f"{self.control_us:.1f}" if self.control_us else "",
            ratio,
        ]


def lines(results: list[dict[str, Any]]) -> list[Line]:
    """One line a result, in the order of the results."""
    rates = {(r["row"], r["target"]): [s["requests_per_s"] for s in r["samples"]] for r in results}
    without = {row.name: row.open for row in ROWS}
    return [
        _line(
            result,
            nginx=rates.get((result["row"], "nginx"), []),
            plain=rates.get((result["row"], "fastgate"), []),
            open_=rates.get((without.get(result["row"], ""), result["target"]), []),
        )
        for result in results
        if result["samples"]
    ]


def verdicts(found: list[Line]) -> Iterator[Goal]:
    """The goals of the rows that were run, and whether their upstream was fast enough to say anything."""
    by_name = {(line.row, line.target): line for line in found}
    for row in ROWS:
        mock, nginx, ours = (by_name.get((row.name, target)) for target in ("mock", "nginx", "fastgate"))
        if mock and nginx:
            ratio = mock.requests_per_s / nginx.requests_per_s
            yield Goal(f"{row.title}: the upstream alone does {ratio:.2f} of nginx (>= {CEILING})", ratio >= CEILING)
        told = False
        for goal in row.goals if ours else ():
            met = ours.ratio >= goal
            text = f"{row.title}: fastgate does {ours.ratio:.2f} of nginx (>= {goal})"
            yield Goal(text, met, "" if told else f"{row.name}/fastgate")  # once is enough for where its time goes
            told = told or not met
        if ours and row.p99_ms:
            mean_ms = row.connections / ours.requests_per_s * 1e3
            yield Goal(
                f"{row.title}: fastgate's p99 is {ours.p99_ms:.1f} ms (<= {row.p99_ms:g})",
                ours.p99_ms <= row.p99_ms,
                why=f"{row.connections} calls wait at any time, so the mean alone is {row.connections} / "
                f"{ours.requests_per_s:,.0f} a second = {mean_ms:.1f} ms; p99 is {ours.p99_ms / mean_ms:.1f} of it",
            )
        budgeted = by_name.get((row.name, "budgeted"))
        if budgeted and budgeted.to_plain:
            yield Goal(
                f"{row.title}: with five budgets on each call {budgeted.to_plain:.2f} of without (>= {BUDGETED})",
                budgeted.to_plain >= BUDGETED,
                f"{row.name}/budgeted",
            )
        screened = by_name.get((row.name, "screened"))
        if screened and screened.to_plain:
            goal = SCREENED[row.body]
            yield Goal(
                f"{row.title}: with every guard on each call {screened.to_plain:.2f} of without (>= {goal})",
                screened.to_plain >= goal,
                f"{row.name}/screened",
            )


def headline(found: list[Line]) -> str:
    """The one sentence to compare with; empty when its row was not run."""
    ours = next((line for line in found if (line.row, line.target) == HEADLINE), None)
    if ours is None:
        return ""
    return (
        f"{title(HEADLINE[0])}, everything on, answered by the exact cache: {ours.requests_per_s:,.0f} requests/s, "
        f"p99 {ours.p99_ms:.1f} ms, {ours.errors} errors\n"
        f"(the reference states {HEADLINE_REQUESTS_PER_S:,} and {HEADLINE_P99_MS} ms on 4 vCPU)"
    )


def over_tls(found: list[Line], row: str) -> str:
    """What TLS takes from the servers of a row; empty for one without."""
    kept = {line.target: line.to_open for line in found if line.row == row and line.to_open and line.target != "mock"}
    if not kept:
        return ""
    told = " and ".join(f"{name} {ratio:.2f}" for name, ratio in kept.items())
    return f"Of its rate without TLS, in pairs of the same rounds, keeps {told}."


def title(name: str) -> str:
    return next((row.title for row in ROWS if row.name == name), name)


def as_text(found: list[Line]) -> str:
    """The table for a terminal."""
    out = []
    for name in dict.fromkeys(line.row for line in found):
        out.append(f"\n{title(name)}")
        out.append(f"  {'':10}" + "".join(f"{column:>14}" for column in COLUMNS))
        of_row = [line for line in found if line.row == name]
        out += [f"  {line.target:10}" + "".join(f"{cell:>14}" for cell in line.cells()) for line in of_row]
    return "\n".join(out)


def _line(result: dict[str, Any], nginx: list[float], plain: list[float], open_: list[float]) -> Line:
    samples = result["samples"]
    rates = [sample["requests_per_s"] for sample in samples]
    return Line(
        row=result["row"],
        target=result["target"],
        requests_per_s=median(rates),
        spread=spread(rates),
        p50_ms=median([sample["p50_ms"] for sample in samples]),
        p99_ms=median([sample["p99_ms"] for sample in samples]),
        cpu_us=median([sample["cpu_us"] for sample in samples]),
        control_us=median([sample["control_us"] for sample in samples]),
        ratio=paired_ratio(rates, nginx) if len(nginx) == len(rates) else 0.0,
        errors=sum(sample["errors"] for sample in samples),
        to_plain=paired_ratio(rates, plain) if len(plain) == len(rates) else 0.0,
        to_open=paired_ratio(rates, open_) if len(open_) == len(rates) else 0.0,
    )
