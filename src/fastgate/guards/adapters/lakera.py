"""Lakera Guard, version 2: `POST /v2/guard`.

Verified against a stub that checks the documented request; never against the vendor's service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastgate.guards.adapters.adapter import Request, as_json, bearer
from fastgate.guards.adapters.verdict import PASS, Span, Stage, Verdict, flagged

PAYLOAD_CHARS = 100_000
"""Of one call: Lakera names tokens, not characters; this stays below 32,000 of them."""


@dataclass(frozen=True, slots=True)
class Lakera:
    """`project` picks the policy that is set up in the vendor's console."""

    key: str
    project: str = ""
    url: str = "https://api.lakera.ai"
    name: str = "lakera"
    part_chars: int = PAYLOAD_CHARS

    def ask(self, text: str, stage: Stage) -> Request:
        role = "user" if stage == "request" else "assistant"
        body: dict[str, Any] = {"messages": [{"role": role, "content": text}], "payload": True, "breakdown": True}
        if self.project:
            body["project_id"] = self.project
        return Request(f"{self.url}/v2/guard", as_json(body), bearer(self.key))

    def judge(self, found: Any, text: str) -> Verdict:
        if found["flagged"] is False:
            return PASS
        kinds = [str(each["detector_type"]) for each in found.get("breakdown") or () if each["detected"]]
        spans = tuple(
            Span(each["start"], each["end"], str(each["detector_type"])) for each in found.get("payload") or ()
        )
        return flagged(*(kinds or [span.label for span in spans] or ["flagged"]), spans=spans)
