"""Amazon Bedrock Guardrails: ApplyGuardrail, signed with Signature Version 4.

Verified against a stub that checks the documented request; never against the vendor's service.
The signature is the one of providers/sigv4.py, which is held against botocore."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from fastgate.guards.adapters.adapter import JSON, Request, as_json
from fastgate.guards.adapters.verdict import PASS, Stage, Verdict, flagged
from fastgate.providers.sigv4 import AwsKeys, amz_date, authorization

TEXT_CHARS = 25_000
"""Of one call: the default quota is 25 text units of 1,000 characters."""


@dataclass(frozen=True, slots=True)
class BedrockGuardrails:
    """`guardrail` is the guardrail's id, `version` its number or DRAFT."""

    keys: AwsKeys
    region: str
    guardrail: str
    version: str = "DRAFT"
    url: str = ""
    name: str = "bedrock-guardrails"
    part_chars: int = TEXT_CHARS

    def ask(self, text: str, stage: Stage) -> Request:
        base = self.url or f"https://bedrock-runtime.{self.region}.amazonaws.com"
        path = f"/guardrail/{quote(self.guardrail, safe='')}/version/{quote(self.version, safe='')}/apply"
        source = "INPUT" if stage == "request" else "OUTPUT"
        body = as_json({"source": source, "content": [{"text": {"text": text}}]})
        at = amz_date()
        signed = [("host", urlsplit(base).netloc), ("x-amz-date", at)]
        if self.keys.token:
            signed.append(("x-amz-security-token", self.keys.token))
        value = authorization(self.keys, self.region, "bedrock", at, "POST", path, signed, body)
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
