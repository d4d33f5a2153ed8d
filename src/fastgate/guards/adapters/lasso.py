"""Lasso Security: `POST /gateway/v3/classify`, as LiteLLM's integration calls it.

Verified against a stub that checks the documented request; never against the vendor's service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastgate.guards.adapters.adapter import JSON, Request, as_json
from fastgate.guards.adapters.verdict import PASS, Stage, Verdict, flagged

TEXT_CHARS = 32_000


@dataclass(frozen=True, slots=True)
class Lasso:
    """`url` is the server; the key names the organisation."""

    key: str
    url: str = "https://server.lasso.security"
    name: str = "lasso"
    part_chars: int = TEXT_CHARS

    def ask(self, text: str, stage: Stage) -> Request:
        role, kind = ("user", "PROMPT") if stage == "request" else ("assistant", "COMPLETION")
        body = {"messages": [{"role": role, "content": text}], "messageType": kind}
        return Request(f"{self.url}/gateway/v3/classify", as_json(body), (("lasso-api-key", self.key), JSON))

    def judge(self, found: Any, text: str) -> Verdict:
        if found["violations_detected"] is False:
            return PASS
        deputies = [str(name) for name, hit in (found.get("deputies") or {}).items() if hit]
        return flagged(*(deputies or ["violation"]))
