"""`python -m bench.edits`: prints the figures and leaves bench/edits.json for the bench page."""

from __future__ import annotations

from bench.edits.measure import score
from bench.edits.prompts import HAND, made
from bench.section import Section


def main() -> None:
    rows = []
    for name, prompts in (("written by hand, held out", HAND), ("made from patterns, fitted to", tuple(made()))):
        found = score(prompts)
        rows.append((name, str(found.prompts), f"{found.precision:.1%}", f"{found.recall:.1%}"))
        print(f"{name}: {found.prompts} prompts, precision {found.precision:.3f}, recall {found.recall:.3f}")
        for text in sorted(set(found.false_yes)):
            print(f"  taken for bounded: {text}")
        for text in sorted(set(found.false_no)):
            print(f"  not recognised:    {text}")
    Section(
        title="Short bounded edits",
        about="How often the rule condition `bounded_edit` is right about labelled prompts (bench/edits). Precision "
        "counts what would have been moved to a cheaper model with reason; recall what could have been.",
        columns=("prompts", "count", "precision", "recall"),
        rows=tuple(rows),
        goals=(),
    ).write("edits")


if __name__ == "__main__":
    main()
