"""The generic guardrail interface that LiteLLM describes: `/beta/litellm_basic_guardrail_api`.

Verified against a stub that checks the documented request; never against the vendor's service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastgate.guards.adapters.adapter import JSON, Request, as_json, bearer
from fastgate.guards.adapters.verdict import PASS, Stage, Verdict, flagged

TEXT_CHARS = 32_000


@dataclass(frozen=True, slots=True)
class GenericGuardrail:
    """For servers that were written for that interface."""

    url: str
    key: str = ""
    name: str = "generic-guardrail"
    part_chars: int = TEXT_CHARS

    def ask(self, text: str, stage: Stage) -> Request:
        body = {"texts": [text], "request_data": {}, "input_type": "request" if stage == "request" else "response"}
        headers = bearer(self.key) if self.key else (JSON,)
        return Request(f"{self.url.rstrip('/')}/beta/litellm_basic_guardrail_api", as_json(body), headers)

    def judge(self, found: Any, text: str) -> Verdict:
        action = found["action"]
        if action == "NONE":
            return PASS
        if action == "GUARDRAIL_INTERVENED":
            return flagged("intervened", text=str(found["texts"][0]))
        if action != "BLOCKED":
            raise ValueError(action)
        return flagged(str(found.get("blocked_reason") or "blocked"))
