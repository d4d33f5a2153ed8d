"""`python -m bench.fleet`: the table of costs, to the terminal and to bench/fleet.json for the bench page."""

from __future__ import annotations

from bench.fleet.run import DEVELOPERS, HOURS, run
from bench.section import Goal, Section
from fastgate._core.money import format_usd


def main() -> None:
    bills = run()
    ours = bills[0]
    rows = []
    for bill in bills:
        moved = sum(count for model, count in bill.moves.items() if model)
        rows.append((
            bill.name,
            f"{format_usd(bill.nano)[:-7]}",
            f"{bill.nano / ours.nano:.2f}",
            f"{bill.read / bill.prompt:.1%}",
            f"{moved:,}",
            f"{bill.failed:,}",
        ))  # fmt: skip
    replayed = sum(bill.replayed for bill in bills)
    differing = [each for bill in bills for each in bill.differing]
    least = min(bill.nano for bill in bills)
    section = Section(
        title="A simulated fleet",
        about=f"{DEVELOPERS} developers, {HOURS:.0f} working hours, {ours.calls:,} calls through three endpoints (list "
        "price, regional Bedrock a tenth dearer, one a tenth cheaper), each with a long outage and spells of minutes. "
        "Virtual time; the gateway's own router, warmth table, breakers and ladder; usage and price come from a prompt "
        "cache of five minutes. Every policy gets the same trace, outages and rules: titles to Haiku, sub-agents of "
        "Opus to Sonnet, turns with little new to Haiku. sticky-none spreads calls over healthy endpoints; "
        "cheapest-naive takes the lowest list price; both apply the rules without a look at what is warm. bench/fleet.",
        columns=("policy", "US dollars", "of ours", "prompt read from cache", "calls moved", "failed attempts"),
        rows=tuple(rows),
        goals=(
            Goal(f"ours is the cheapest: {format_usd(ours.nano)[:-7]} of {format_usd(least)[:-7]}", ours.nano == least),
            Goal(f"{replayed:,} decisions asked again, {len(differing)} differ", not differing),
        ),
    )
    section.write("fleet")
    for row in (section.columns, *section.rows):
        print("  ".join(f"{cell:>24}" for cell in row))
    for goal in section.goals:
        print(("met:    " if goal.met else "MISSED: ") + goal.text)


if __name__ == "__main__":
    main()
