"""OpenAI's moderation endpoint: `POST /v1/moderations`.

Verified against a stub that checks the documented request; never against the vendor's service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastgate.guards.adapters.adapter import Request, as_json, bearer
from fastgate.guards.adapters.verdict import PASS, Stage, Verdict, flagged

TEXT_CHARS = 32_000
"""Of one call: the model judges long texts worse, OpenAI advises to cut them."""

IMAGE_BYTES = 20 * 1024 * 1024
"""Of one image, as documented for OpenAI's models that see."""


@dataclass(frozen=True, slots=True)
class OpenAIModeration:
    """`categories` limits what counts; empty is everything that the model flags."""

    key: str
    model: str = "omni-moderation-latest"
    categories: tuple[str, ...] = ()
    url: str = "https://api.openai.com"
    name: str = "openai-moderation"
    part_chars: int = TEXT_CHARS
    media: frozenset[str] = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
    media_bytes: int = IMAGE_BYTES

    def ask(self, text: str, stage: Stage) -> Request:
        return Request(f"{self.url}/v1/moderations", as_json({"model": self.model, "input": text}), bearer(self.key))

    def ask_media(self, media_type: str, data: str) -> Request:
        image = {"type": "image_url", "image_url": {"url": f"data:{media_type};base64,{data}"}}
        return Request(f"{self.url}/v1/moderations", as_json({"model": self.model, "input": [image]}), bearer(self.key))

    def judge(self, found: Any, text: str) -> Verdict:
        (result,) = found["results"]
        named = [str(name) for name, hit in result["categories"].items() if hit]
        counted = [name for name in named if not self.categories or name in self.categories]
        return flagged(*counted) if counted else PASS
