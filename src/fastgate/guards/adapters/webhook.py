"""A deployment's own service: a POST of the text, an answer of four fields. Its interface is ours.

    {"text": "...", "stage": "request" | "answer"}
    {"outcome": "pass" | "flag", "categories": [...], "spans": [{"start": 0, "end": 4, "label": "name"}], "text": null}

Verified against a server of the tests; the signature is HMAC-SHA256 of the body, in `x-fastgate-signature`."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Any

from fastgate.guards.adapters.adapter import JSON, Request, as_json
from fastgate.guards.adapters.verdict import PASS, Span, Stage, Verdict, flagged

TEXT_CHARS = 1_000_000


@dataclass(frozen=True, slots=True)
class Webhook:
    """`secret` signs what is sent, so that the service knows who asks."""

    url: str
    secret: str = ""
    name: str = "webhook"
    part_chars: int = TEXT_CHARS

    def ask(self, text: str, stage: Stage) -> Request:
        body = as_json({"text": text, "stage": stage})
        signature = hmac.digest(self.secret.encode(), body, "sha256").hex()
        signed = (("x-fastgate-signature", f"sha256={signature}"),) if self.secret else ()
        return Request(self.url, body, (*signed, JSON))

    def judge(self, found: Any, text: str) -> Verdict:
        if found["outcome"] == "pass":
            return PASS
        if found["outcome"] != "flag":
            raise ValueError(found["outcome"])
        spans = tuple(Span(each["start"], each["end"], str(each["label"])) for each in found.get("spans") or ())
        if any(not 0 <= span.start < span.end <= len(text) for span in spans):
            raise ValueError("a span lies outside of the text")
        return flagged(*map(str, found.get("categories") or ["flagged"]), spans=spans, text=found.get("text"))
