"""Google Cloud Model Armor: `sanitizeUserPrompt` and `sanitizeModelResponse` of a template.

Verified against a stub that checks the documented request; never against the vendor's service.
The access token ends within the hour: the adapter's credential renews it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastgate.guards.adapters.adapter import Request, as_json, bearer
from fastgate.guards.adapters.verdict import PASS, Stage, Verdict, flagged, not_scanned

TEXT_CHARS = 8_000
"""Of one call: filters take some 2,000 tokens and more."""

FILE_BYTES = 4 * 1024 * 1024
"""Of one file, as documented."""


@dataclass(frozen=True, slots=True)
class ModelArmor:
    """`key` is an access token."""

    key: str
    project: str
    location: str
    template: str
    url: str = ""
    name: str = "model-armor"
    part_chars: int = TEXT_CHARS
    media: frozenset[str] = frozenset({"application/pdf"})
    media_bytes: int = FILE_BYTES

    def ask(self, text: str, stage: Stage) -> Request:
        if stage == "request":
            return self._to("sanitizeUserPrompt", {"userPromptData": {"text": text}})
        return self._to("sanitizeModelResponse", {"modelResponseData": {"text": text}})

    def ask_media(self, media_type: str, data: str) -> Request:
        return self._to(
            "sanitizeUserPrompt", {"userPromptData": {"byteItem": {"byteDataType": "PDF", "byteData": data}}}
        )

    def _to(self, operation: str, body: Any) -> Request:
        base = self.url or f"https://modelarmor.{self.location}.rep.googleapis.com"
        template = f"/v1/projects/{self.project}/locations/{self.location}/templates/{self.template}"
        return Request(f"{base}{template}:{operation}", as_json(body), bearer(self.key))

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
