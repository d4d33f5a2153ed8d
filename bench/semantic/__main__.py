"""`python -m bench.semantic`: true and false hits of the semantic cache and of other rules, and what a hit costs.

Leaves `bench/semantic.json` and `bench/semantic-speed.json` for bench.render.
"""

from __future__ import annotations

import argparse
import sys

from bench.lock import BusyError, only_one
from bench.semantic import quality, speed


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.semantic", description=__doc__)
    parser.add_argument("--entries", type=int, default=speed.ENTRIES, help=f"size of the index  [{speed.ENTRIES}]")
    parser.add_argument("--check", action="store_true", help="exit 1 when a goal is missed")
    parser.add_argument("--dry", action="store_true", help="write nothing")
    chosen = parser.parse_args()
    try:
        with only_one():
            sections = {
                "semantic": quality.section(quality.measure()),
                "semantic-speed": speed.section(speed.measure(chosen.entries)),
            }
    except (BusyError, FileNotFoundError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for name, section in sections.items():
        if not chosen.dry:
            section.write(name)
        print("|".join(section.columns))
        for row in section.rows:
            print("|".join(row))
        for goal in section.goals:
            print(f"{'met   ' if goal.met else 'MISSED'}  {goal.text}")
    return 1 if chosen.check and not all(goal.met for each in sections.values() for goal in each.goals) else 0


if __name__ == "__main__":
    sys.exit(main())
