"""Google Cloud Model Armor: `sanitizeUserPrompt` and `sanitizeModelResponse` of a template.

Verified against a stub that checks the documented request; never against the vendor's service.
The access token is the caller's: providers' Google credentials renew one in the background."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastgate.guards.adapters.adapter import Request, as_json, bearer
from fastgate.guards.adapters.verdict import PASS, Stage, Verdict, flagged, not_scanned

TEXT_CHARS = 8_000
"""Of one call: filters take some 2,000 tokens and more."""


@dataclass(frozen=True, slots=True)
class ModelArmor:
    """`token` is called for each request, so that a renewed one is used."""

    token: Callable[[], str]
    project: str
    location: str
    template: str
    url: str = ""
    name: str = "model-armor"
    part_chars: int = TEXT_CHARS

    def ask(self, text: str, stage: Stage) -> Request:
        base = self.url or f"https://modelarmor.{self.location}.rep.googleapis.com"
        template = f"/v1/projects/{self.project}/locations/{self.location}/templates/{self.template}"
        if stage == "request":
            return Request(
                f"{base}{template}:sanitizeUserPrompt",
                as_json({"userPromptData": {"text": text}}),
                bearer(self.token()),
            )
        body = as_json({"modelResponseData": {"text": text}})
        return Request(f"{base}{template}:sanitizeModelResponse", body, bearer(self.token()))

    def judge(self, found: Any, text: str) -> Verdict:
        result = found["sanitizationResult"]
        if result.get("invocationResult") not in ("SUCCESS", None):
            return not_scanned(f"model-armor: invocation {result['invocationResult']}")
        if result["filterMatchState"] == "NO_MATCH_FOUND":
            return PASS
        if result["filterMatchState"] != "MATCH_FOUND":
            raise ValueError(result["filterMatchState"])
        filters = result.get("filterResults") or {}
        matched = [str(name) for name, each in filters.items() if "MATCH_FOUND" in _states(each)]
        redacted = (
            filters.get("sdp", {}).get("sdpFilterResult", {}).get("deidentifyResult", {}).get("data", {}).get("text")
        )
        return flagged(*(matched or ["matched"]), text=redacted if matched == ["sdp"] else None)


def _states(found: Any) -> set[str]:
    """Every matchState within a filter's result, at whatever depth the filter keeps it."""
    if not isinstance(found, dict):
        return set()
    own = {found["matchState"]} if isinstance(found.get("matchState"), str) else set()
    return own.union(*map(_states, found.values()))
