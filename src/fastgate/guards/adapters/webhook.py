"""A deployment's own service: a POST of the text, an answer of four fields. Its interface is ours.

    {"text": "...", "stage": "request" | "answer"}
    {"media": "image/png", "data": "<base64>", "stage": "request"}          an image or a PDF
    {"outcome": "pass" | "flag", "categories": [...], "spans": [{"start": 0, "end": 4, "label": "name"}], "text": null}

Verified against a server of the tests; the signature is HMAC-SHA256 of the body, in `x-fastgate-signature`."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Any

from fastgate.guards.adapters.adapter import JSON, Request, as_json
from fastgate.guards.adapters.verdict import PASS, Span, Stage, Verdict, flagged

TEXT_CHARS = 1_000_000

MEDIA = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf"})
"""All that the Messages API takes."""

MEDIA_BYTES = 32 * 1024 * 1024
"""As large as a request may be."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """`key` signs what is sent, so that the service knows who asks."""

    url: str
    key: str = ""
    name: str = "webhook"
    part_chars: int = TEXT_CHARS
    media: frozenset[str] = MEDIA
    media_bytes: int = MEDIA_BYTES

    def ask(self, text: str, stage: Stage) -> Request:
        return self._signed(as_json({"text": text, "stage": stage}))

    def ask_media(self, media_type: str, data: str) -> Request:
        return self._signed(as_json({"media": media_type, "data": data, "stage": "request"}))

    def _signed(self, body: bytes) -> Request:
        signature = hmac.digest(self.key.encode(), body, "sha256").hex()
        signed = (("x-fastgate-signature", f"sha256={signature}"),) if self.key else ()
        return Request(self.url, body, (*signed, JSON))

    def judge(self, found: Any, text: str) -> Verdict:
        if found["outcome"] == "pass":
            return PASS
        if found["outcome"] != "flag":
            raise ValueError(found["outcome"])
        spans = tuple(Span(each["start"], each["end"], str(each["label"])) for each in found.get("spans") or ())
        names = [str(name) for name in found.get("categories") or ()]
        if spans and len(names) <= 1:
            names = [span.label for span in spans]  # a lone category is what all the spans are of
        return flagged(*(names or ["flagged"]), spans=spans, text=found.get("text"))
