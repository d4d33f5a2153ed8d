"""What jailbreak-wording would find, and wrongly take for an attack, if it asked for more or less: recall and alarms.

Of unread texts alone. The place where it stands was chosen by cross-validation on texts that may be read (fit.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.guards import asked, ordinary
from bench.guards.finder import Finder
from bench.guards.sample import is_unread
from fastgate.guards.scanners import _wording

PLACES = (1.0, 0.5, 0.0, -0.5, -1.0, -2.0, -3.0)
"""Scores above which a text would count as found; the rule's own is 0."""


def curve(others: Finder, attacks: Iterable[tuple[str, str]], peers: Path | None) -> list[dict[str, Any]]:
    """By place. `others` are the rules beside it; `attacks` are (family, text) of what users type."""
    wording = _wording.read(_wording.WEIGHTS)

    def judged(texts: Iterable[str]) -> list[tuple[bool, float]]:
        return [(bool(others.hits(text.encode(), "user_text")), wording.score(text.encode())) for text in texts]

    def share(found: Sequence[tuple[bool, float]], place: float, *, alone: bool = False) -> dict[str, int]:
        return {"found": sum(score > place or (hit and not alone) for hit, score in found), "of": len(found)}

    by_family: dict[str, list[str]] = {}
    for family, text in attacks:
        by_family.setdefault(family, []).append(text)
    judged_attacks = {family: judged(texts) for family, texts in sorted(by_family.items())}
    prompts = judged(text for text in asked.prompts() if is_unread(text))
    agents = judged(sample.text for sample in ordinary.ordinary(peers) if sample.unread)
    return [
        {
            "place": place,
            "attacks": {family: share(found, place) for family, found in judged_attacks.items()},
            "prompts": share(prompts, place),
            "prompts, this rule": share(prompts, place, alone=True),
            "ordinary, this rule": share(agents, place, alone=True),
        }
        for place in PLACES
    ]
