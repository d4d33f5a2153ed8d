"""`python -m bench.semantic`: true and false hits of the semantic cache and of other rules, and what a hit costs.

Leaves `bench/semantic.json` and `bench/semantic-speed.json` for bench.render.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path

from bench.lock import BusyError, only_one
from bench.section import Section
from bench.semantic import quality, speed
from bench.semantic.model import MINILM_DIM, load, minilm
from fastgate.caching.semantic.model_folder import ModelError

PARTS = ("semantic", "semantic-speed")


def right_and_wrong(folder: Path | None, dim: int | None) -> Section:
    with contextlib.ExitStack() as stack:
        if folder is None or dim is None:
            model = load("all-MiniLM-L6-v2", stack.enter_context(minilm()), MINILM_DIM)
        else:
            model = load(folder.name, folder, dim)
        return quality.section(*quality.measure(model), model)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.semantic", description=__doc__)
    parser.add_argument("--entries", type=int, default=speed.ENTRIES, help=f"size of the index  [{speed.ENTRIES}]")
    parser.add_argument("--check", action="store_true", help="exit 1 when a goal is missed")
    parser.add_argument("--dry", action="store_true", help="write nothing")
    parser.add_argument("--model", type=Path, help="a model in files, in place of the packaged all-MiniLM-L6-v2")
    parser.add_argument("--dimensions", type=int, help="of its vectors")
    parser.add_argument("--part", choices=PARTS, action="append", help="only these")
    chosen = parser.parse_args()
    if (chosen.model is None) != (chosen.dimensions is None):
        parser.error("--model and --dimensions belong together")
    parts, sections = chosen.part or PARTS, {}
    try:
        with only_one():
            if "semantic" in parts:
                sections["semantic"] = right_and_wrong(chosen.model, chosen.dimensions)
            if "semantic-speed" in parts:
                sections["semantic-speed"] = speed.section(speed.measure(chosen.entries))
    except (BusyError, FileNotFoundError, ModelError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for name, section in sections.items():
        if not chosen.dry:
            section.write(name)
        print(section.about)
        print("|".join(section.columns))
        for row in section.rows:
            print("|".join(row))
        for goal in section.goals:
            print(f"{'met   ' if goal.met else 'MISSED'}  {goal.text}")
    return 1 if chosen.check and not all(goal.met for each in sections.values() for goal in each.goals) else 0


if __name__ == "__main__":
    sys.exit(main())
