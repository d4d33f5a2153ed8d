"""LLM Guard's server: `/analyze/prompt` and `/analyze/output`, scanners with scores and a sanitised text.

Verified against a stub that checks the documented request; never against the vendor's service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastgate.guards.adapters.adapter import JSON, Request, as_json, bearer
from fastgate.guards.adapters.verdict import PASS, Stage, Verdict, flagged

TEXT_CHARS = 50_000
"""Of one call: its models read windows of 512 tokens one after the other."""


@dataclass(frozen=True, slots=True)
class LlmGuard:
    """`key` is the server's token, if it wants one."""

    url: str
    key: str = ""
    suppress: tuple[str, ...] = ()
    name: str = "llm-guard"
    part_chars: int = TEXT_CHARS

    def ask(self, text: str, stage: Stage) -> Request:
        body: dict[str, Any] = {"prompt": text} if stage == "request" else {"prompt": "", "output": text}
        if self.suppress:
            body["scanners_suppress"] = list(self.suppress)
        path = "/analyze/prompt" if stage == "request" else "/analyze/output"
        return Request(self.url.rstrip("/") + path, as_json(body), bearer(self.key) if self.key else (JSON,))

    def judge(self, found: Any, text: str) -> Verdict:
        if found["is_valid"] is True:
            return PASS
        names = [str(name) for name, score in found["scanners"].items() if score > 0]
        clean = found.get("sanitized_prompt", found.get("sanitized_output"))
        return flagged(*(names or ["invalid"]), text=clean if clean != text else None)
