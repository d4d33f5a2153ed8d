"""Llama Guard 3 and 4 behind an OpenAI-compatible server: a chat whose answer is `safe` or `unsafe` and codes.

Verified against a stub that checks the documented request; never against the vendor's service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastgate.guards.adapters.adapter import JSON, Request, as_json, bearer
from fastgate.guards.adapters.verdict import PASS, Stage, Verdict, flagged

TEXT_CHARS = 24_000
"""Of one call: a context of 8,192 tokens with the template."""

MAX_TOKENS = 32
"""The answer is one word and a few codes."""


@dataclass(frozen=True, slots=True)
class LlamaGuard:
    """`url` ends before `/chat/completions`; `categories` limits what counts (S1, S10 ...)."""

    url: str
    model: str = "meta-llama/Llama-Guard-3-8B"
    key: str = ""
    categories: tuple[str, ...] = ()
    name: str = "llama-guard"
    part_chars: int = TEXT_CHARS

    def ask(self, text: str, stage: Stage) -> Request:
        messages = [{"role": "user", "content": text if stage == "request" else "Answer."}]
        if stage == "answer":
            messages.append({"role": "assistant", "content": text})
        body = {"model": self.model, "messages": messages, "temperature": 0, "max_tokens": MAX_TOKENS}
        headers = bearer(self.key) if self.key else (JSON,)
        return Request(f"{self.url.rstrip('/')}/chat/completions", as_json(body), headers)

    def judge(self, found: Any, text: str) -> Verdict:
        lines = str(found["choices"][0]["message"]["content"]).split()
        if lines[0] == "safe":
            return PASS
        if lines[0] != "unsafe":
            raise ValueError(lines[0])
        codes = [code for line in lines[1:] for code in line.split(",") if code]
        counted = [code for code in codes if not self.categories or code in self.categories]
        return flagged(*(counted or ["unsafe"])) if counted or not codes else PASS
