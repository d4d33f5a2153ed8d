"""Pangea AI Guard: `POST /v1beta/guard` with a recipe.

Verified against a stub that checks the documented request; never against the vendor's service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastgate.guards.adapters.adapter import Request, as_json, bearer
from fastgate.guards.adapters.verdict import PASS, Stage, Verdict, flagged, not_scanned

TEXT_CHARS = 20_000


@dataclass(frozen=True, slots=True)
class Pangea:
    """`recipe` is set up in the vendor's console."""

    key: str
    recipe: str = "pangea_prompt_guard"
    region: str = "us"
    url: str = ""
    name: str = "pangea"
    part_chars: int = TEXT_CHARS

    def ask(self, text: str, stage: Stage) -> Request:
        base = self.url or f"https://ai-guard.{self.region}.pangea.cloud"
        role, event = ("user", "input") if stage == "request" else ("assistant", "output")
        body = {"input": {"messages": [{"role": role, "content": text}]}, "recipe": self.recipe, "event_type": event}
        return Request(f"{base}/v1beta/guard", as_json(body), bearer(self.key))

    def judge(self, found: Any, text: str) -> Verdict:
        if found["status"] != "Success":
            return not_scanned(f"pangea: status {found['status']}")
        result = found["result"]
        kinds = [str(name) for name, each in (result.get("detectors") or {}).items() if each.get("detected")]
        if result["blocked"]:
            return flagged(*(kinds or ["blocked"]))
        if result.get("transformed"):
            return flagged(*(kinds or ["transformed"]), text=str(result["output"]["messages"][-1]["content"]))
        return PASS
