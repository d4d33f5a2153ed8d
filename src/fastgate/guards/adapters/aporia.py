"""Aporia Guardrails: `POST /validate` of a project.

Verified against a stub that checks the documented request; never against the vendor's service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastgate.guards.adapters.adapter import JSON, Request, as_json
from fastgate.guards.adapters.verdict import PASS, Stage, Verdict, flagged

TEXT_CHARS = 32_000


@dataclass(frozen=True, slots=True)
class Aporia:
    """`url` is the project's own address."""

    url: str
    key: str
    name: str = "aporia"
    part_chars: int = TEXT_CHARS

    def ask(self, text: str, stage: Stage) -> Request:
        body: dict[str, Any] = {"messages": [{"role": "user", "content": text}], "validation_target": "prompt"}
        if stage == "answer":
            body = {"messages": [{"role": "user", "content": ""}], "response": text, "validation_target": "response"}
        return Request(f"{self.url.rstrip('/')}/validate", as_json(body), (("x-aporia-api-key", self.key), JSON))

    def judge(self, found: Any, text: str) -> Verdict:
        action = found["action"]
        if action == "passthrough":
            return PASS
        if action not in ("modify", "rephrase", "block"):
            raise ValueError(action)
        return flagged(action, text=found.get("revised_response") if action != "block" else None)
