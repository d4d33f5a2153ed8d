"""Amazon Bedrock Guardrails: ApplyGuardrail, signed with Signature Version 4 or with a Bedrock API key; images too.

Verified against a stub that checks the documented request; never against the vendor's service.
The signature is the one of providers/sigv4.py, which is held against botocore."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from fastgate.guards.adapters.adapter import JSON, Request, as_json, bearer
from fastgate.guards.adapters.verdict import PASS, Stage, Verdict, flagged
from fastgate.providers.sigv4 import AwsKeys, amz_date, authorization

TEXT_CHARS = 25_000
"""Of one call: the default quota is 25 text units of 1,000 characters."""

IMAGE_BYTES = 4 * 1024 * 1024
"""Of one image, as documented."""


@dataclass(frozen=True, slots=True)
class BedrockGuardrails:
    """`guardrail` is the guardrail's id, `version` its number or DRAFT; `key` AWS's keys, or a Bedrock API key."""

    key: AwsKeys | str
    region: str
    guardrail: str
    version: str = "DRAFT"
    url: str = ""
    name: str = "bedrock-guardrails"
    part_chars: int = TEXT_CHARS
    media: frozenset[str] = frozenset({"image/png", "image/jpeg"})
    media_bytes: int = IMAGE_BYTES

    def ask(self, text: str, stage: Stage) -> Request:
        return self._signed("INPUT" if stage == "request" else "OUTPUT", {"text": {"text": text}})

    def ask_media(self, media_type: str, data: str) -> Request:
        image = {"format": media_type.removeprefix("image/"), "source": {"bytes": data}}
        return self._signed("INPUT", {"image": image})

    def _signed(self, source: str, content: dict[str, Any]) -> Request:
        base = self.url or f"https://bedrock-runtime.{self.region}.amazonaws.com"
        path = f"/guardrail/{quote(self.guardrail, safe='')}/version/{quote(self.version, safe='')}/apply"
        body = as_json({"source": source, "content": [content]})
        if isinstance(self.key, str):
            return Request(base + path, body, bearer(self.key))
        at = amz_date()
        signed = [("host", urlsplit(base).netloc), ("x-amz-date", at)]
        if self.key.token:
            signed.append(("x-amz-security-token", self.key.token))
        value = authorization(self.key, self.region, "bedrock", at, "POST", path, signed, body)
        return Request(base + path, body, (*signed[1:], ("authorization", value), JSON))

    def judge(self, found: Any, text: str) -> Verdict:
        if found["action"] == "NONE":
            return PASS
        if found["action"] != "GUARDRAIL_INTERVENED":
            raise ValueError(found["action"])
        names = [name for each in found.get("assessments") or () for name in each if name.endswith("Policy")]
        outputs = [str(each["text"]) for each in found.get("outputs") or ()]
        sensitive = names == ["sensitiveInformationPolicy"]
        return flagged(*(names or ["intervened"]), text="".join(outputs) if sensitive and outputs else None)
