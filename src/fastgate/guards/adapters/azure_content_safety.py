"""Azure AI Content Safety: `text:analyze`, four categories with severities and the customer's own
lists; `image:analyze` of images.

Verified against a stub that checks the documented request; never against the vendor's service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastgate.guards.adapters.adapter import JSON, Request, as_json
from fastgate.guards.adapters.verdict import PASS, Stage, Verdict, flagged

TEXT_CHARS = 10_000
"""Of one call, as documented."""

IMAGE_BYTES = 4 * 1024 * 1024
"""Of one image, as documented."""


@dataclass(frozen=True, slots=True)
class AzureContentSafety:
    """`url` is the resource's endpoint; a category of `severity` or more is a finding (0, 2, 4, 6)."""

    url: str
    key: str
    severity: int = 2
    lists: tuple[str, ...] = ()
    version: str = "2024-09-01"
    name: str = "azure-content-safety"
    part_chars: int = TEXT_CHARS
    media: frozenset[str] = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
    media_bytes: int = IMAGE_BYTES

    def ask(self, text: str, stage: Stage) -> Request:
        body: dict[str, Any] = {"text": text, "outputType": "FourSeverityLevels"}
        if self.lists:
            body |= {"blocklistNames": list(self.lists), "haltOnBlocklistHit": False}
        return self._to("text:analyze", body)

    def ask_media(self, media_type: str, data: str) -> Request:
        return self._to("image:analyze", {"image": {"content": data}})

    def _to(self, operation: str, body: dict[str, Any]) -> Request:
        url = f"{self.url.rstrip('/')}/contentsafety/{operation}?api-version={self.version}"
        return Request(url, as_json(body), (("ocp-apim-subscription-key", self.key), JSON))

    def judge(self, found: Any, text: str) -> Verdict:
        severe = [str(each["category"]) for each in found["categoriesAnalysis"] if each["severity"] >= self.severity]
        listed = [f"list:{each['blocklistName']}" for each in found.get("blocklistsMatch") or ()]
        return flagged(*severe, *listed) if severe or listed else PASS
