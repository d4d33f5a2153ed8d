"""Palo Alto Networks Prisma AIRS: the synchronous scan of its API intercept.

Verified against a stub that checks the documented request; never against the vendor's service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastgate.guards.adapters.adapter import JSON, Request, as_json
from fastgate.guards.adapters.verdict import PASS, Stage, Verdict, flagged

TEXT_CHARS = 100_000
"""Of one call: the service takes 2 MB."""


@dataclass(frozen=True, slots=True)
class PrismaAirs:
    """`profile` is the security profile's name."""

    key: str
    profile: str
    app: str = "fastgate"
    url: str = "https://service.api.aisecurity.paloaltonetworks.com"
    name: str = "prisma-airs"
    part_chars: int = TEXT_CHARS

    def ask(self, text: str, stage: Stage) -> Request:
        content = {"prompt": text} if stage == "request" else {"response": text}
        body = {"ai_profile": {"profile_name": self.profile}, "metadata": {"app_name": self.app}, "contents": [content]}
        return Request(f"{self.url}/v1/scan/sync/request", as_json(body), (("x-pan-token", self.key), JSON))

    def judge(self, found: Any, text: str) -> Verdict:
        if found["action"] == "allow":
            return PASS
        if found["action"] != "block":
            raise ValueError(found["action"])
        kinds = [
            str(name)
            for part in ("prompt_detected", "response_detected")
            for name, hit in (found.get(part) or {}).items()
            if hit
        ]
        return flagged(*(kinds or [str(found.get("category") or "blocked")]))
