"""`python -m bench.render`: writes bench/README.md from the figures that bench.load, bench.micro and the others left
(bench.section). Measures nothing, so the page can be made again from the same files, and says the same."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.load import report
from bench.load.rows import CEILING
from bench.owners import Shares, shares_in, why
from bench.plot import plot
from bench.section import Goal, Section, sections

HERE = Path(__file__).parent
LOAD, MICRO, PAGE = HERE / "load.json", HERE / "micro.json", HERE / "README.md"

WIDTH = 118
"""Lines of prose in the page."""

INTRODUCTION = f"""\
Written by `make bench`; do not edit. Every figure was measured on the machine named below, with the load generator
(wrk) and the upstream on the same cores. **nginx** is a bare reverse proxy with one worker before the same upstream:
it forwards and does nothing else, so it is the bar for what forwarding costs. **bare** is fastgate's server and pump
with nothing between them: what is above it is what fastgate does. **fastgate** does its whole work on each call:
identity, price, response headers, journal. **budgeted** also holds every call against five budgets; **screened**
looks at it with every built-in guard of requests instead, **guarded** does both; **cached** has the exact cache as
well, which then answers. All are driven in the same rounds, one after the other; the ratio to nginx is the median of
the ratios within each round. **mock** is the upstream alone; below {CEILING} times nginx's rate it would be what is
measured. CPU is that of all processes of a server, supervisor and control plane included, divided by the calls
answered; no call waits for the control plane, but it uses the same cores."""


def page(
    load: dict[str, Any] | None,
    micro: dict[str, Any] | None,
    others: Sequence[Section] = (),
    shares: dict[str, Shares] | None = None,
) -> str:
    out = ["# How fast fastgate is\n", prose(INTRODUCTION), ""]
    if load:
        out += load_section(load, shares or {})
    for other in others:
        out += section(other, shares or {})
    if micro:
        out += micro_section(micro)
    return "\n".join(out).rstrip() + "\n"


def load_section(document: dict[str, Any], shares: dict[str, Shares]) -> Iterator[str]:
    found = report.lines(document["results"])
    plan = document["plan"]
    yield "## Load\n"
    yield from machine(document["machine"])
    yield ""
    yield prose(
        f"Rounds: {plan['rounds']} of {plan['seconds']:g} s each. Workers of fastgate: {plan['workers']}. "
        "The figures are medians of the rounds; the spread is half the distance from the slowest to the fastest."
    )
    yield ""
    yield "![calls a second by row and server](load.svg)\n"
    for name in dict.fromkeys(line.row for line in found):
        yield f"### {report.title(name)}\n"
        yield "| |" + "|".join(report.COLUMNS) + "|"
        yield "|---|" + "---:|" * len(report.COLUMNS)
        for line in found:
            if line.row == name:
                yield f"|{line.target}|" + "|".join(line.cells()) + "|"
        yield ""
        if sentence := report.over_tls(found, name):
            yield f"{sentence}\n"
    if sentence := report.headline(found):
        yield f"**{sentence}.**\n"
    for verdict in report.verdicts(found):
        yield from judged(verdict, shares)
    for fault in document["faults"]:
        yield f"- **fault**: {fault}"
    yield ""


def section(other: Section, shares: dict[str, Shares]) -> Iterator[str]:
    yield f"## {other.title}\n"
    yield from machine(other.machine)
    yield f"\n{prose(other.about)}\n"
    yield "|" + "|".join(other.columns) + "|"
    yield "|---|" + "---:|" * (len(other.columns) - 1)
    for row in other.rows:
        yield "|" + "|".join(row) + "|"
    yield ""
    for goal in other.goals:
        yield from judged(goal, shares)
    yield ""


def judged(goal: Goal, shares: dict[str, Shares]) -> Iterator[str]:
    """A goal, and of one that was missed where its time goes."""
    yield f"- {'met' if goal.met else '**missed**'}: {goal.text}"
    reasons = [f"{reason}." for reason in (goal.why, why(goal.load, shares)) if reason]
    if reasons and not goal.met:
        yield textwrap.fill(
            " ".join(reasons), WIDTH, initial_indent="  ", subsequent_indent="  ",
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip


def micro_section(document: dict[str, Any]) -> Iterator[str]:
    yield "## Single functions\n"
    yield from machine(document["machine"])
    yield "\nMicroseconds a call, called from Python; the best of several repeats, which other work disturbs least.\n"
    yield "|module|call|best µs|median µs|"
    yield "|---|---|---:|---:|"
    for timing in document["timings"]:
        yield f"|{timing['module']}|{timing['name']}|{timing['best_us']:.3f}|{timing['median_us']:.3f}|"
    yield ""


def machine(facts: dict[str, Any]) -> Iterator[str]:
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    box = f"{facts['cpu']}, {facts['cores']} cores, {facts['memory_gib']} GiB, {facts['system']}"
    yield prose(f"{facts['date']}, commit {facts['commit']}. {box}. {versions}.")


def prose(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def read(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.render", description=__doc__)
    parser.add_argument("--load", type=Path, default=LOAD)
    parser.add_argument("--micro", type=Path, default=MICRO)
    parser.add_argument("--page", type=Path, default=PAGE)
    chosen = parser.parse_args()
    load, micro = read(chosen.load), read(chosen.micro)
    if load is None and micro is None:
        sys.stderr.write(f"neither {chosen.load} nor {chosen.micro} exists: run bench.load or bench.micro first\n")
        return 2
    chosen.page.write_text(page(load, micro, sections(chosen.page.parent), shares_in(chosen.page.parent)))
    if load is not None:
        chosen.page.with_name("load.svg").write_text(plot(report.lines(load["results"])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
