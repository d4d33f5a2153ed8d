"""NVIDIA NeMo Guardrails' server: `/v1/chat/completions` with input or output rails alone.

Verified against a stub that checks the documented request; never against the vendor's service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastgate.guards.adapters.adapter import JSON, Request, as_json
from fastgate.guards.adapters.verdict import PASS, Stage, Verdict, flagged

TEXT_CHARS = 32_000


@dataclass(frozen=True, slots=True)
class NemoGuardrails:
    """`config` is the id of the rails on the server. Only rails run, no model answers."""

    url: str
    config: str
    name: str = "nemo-guardrails"
    part_chars: int = TEXT_CHARS

    def ask(self, text: str, stage: Stage) -> Request:
        rails = ["input"] if stage == "request" else ["output"]
        messages = [{"role": "user", "content": text if stage == "request" else ""}]
        if stage == "answer":
            messages.append({"role": "assistant", "content": text})
        options = {"rails": rails, "log": {"activated_rails": True}}
        body = {"config_id": self.config, "messages": messages, "options": options, "stream": False}
        return Request(f"{self.url.rstrip('/')}/v1/chat/completions", as_json(body), (JSON,))

    def judge(self, found: Any, text: str) -> Verdict:
        activated = found["log"]["activated_rails"]
        stopped = [str(rail["name"]) for rail in activated if rail["stop"]]
        return flagged(*stopped) if stopped else PASS
