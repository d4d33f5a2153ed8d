"""Azure Prompt Shields: `text:shieldPrompt`, attacks in prompts and in documents.

Verified against a stub that checks the documented request; never against the vendor's service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastgate.guards.adapters.adapter import JSON, Request, as_json
from fastgate.guards.adapters.verdict import PASS, Stage, Verdict, flagged

TEXT_CHARS = 10_000
"""Of prompt and documents together, as documented."""


@dataclass(frozen=True, slots=True)
class AzurePromptShields:
    """`url` is the resource's endpoint. An answer is judged as a document."""

    url: str
    key: str
    version: str = "2024-09-01"
    name: str = "azure-prompt-shields"
    part_chars: int = TEXT_CHARS

    def ask(self, text: str, stage: Stage) -> Request:
        asked = {"userPrompt": text, "documents": []} if stage == "request" else {"userPrompt": "", "documents": [text]}
        url = f"{self.url.rstrip('/')}/contentsafety/text:shieldPrompt?api-version={self.version}"
        return Request(url, as_json(asked), (("ocp-apim-subscription-key", self.key), JSON))

    def judge(self, found: Any, text: str) -> Verdict:
        prompt = found.get("userPromptAnalysis")
        documents = found.get("documentsAnalysis") or []
        if prompt is None and not documents:
            raise ValueError("neither prompt nor document was judged")
        direct = prompt is not None and prompt["attackDetected"]
        indirect = True in [each["attackDetected"] for each in documents]
        if not direct and not indirect:
            return PASS
        return flagged("prompt-attack" if direct else "", "document-attack" if indirect else "")
