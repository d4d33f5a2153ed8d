"""Vendors' guards against stubs that check what they are sent: requests as documented, and what answers mean."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from fastgate.guards.adapters.adapter import Adapter, Vendor
from fastgate.guards.adapters.aporia import Aporia
from fastgate.guards.adapters.azure_content_safety import AzureContentSafety
from fastgate.guards.adapters.azure_prompt_shields import AzurePromptShields
from fastgate.guards.adapters.bedrock_guardrails import BedrockGuardrails
from fastgate.guards.adapters.generic_guardrail import GenericGuardrail
from fastgate.guards.adapters.lakera import Lakera
from fastgate.guards.adapters.lasso import Lasso
from fastgate.guards.adapters.llama_guard import LlamaGuard
from fastgate.guards.adapters.llm_guard import LlmGuard
from fastgate.guards.adapters.model_armor import ModelArmor
from fastgate.guards.adapters.nemo import NemoGuardrails
from fastgate.guards.adapters.openai_moderation import OpenAIModeration
from fastgate.guards.adapters.pangea import Pangea
from fastgate.guards.adapters.presidio import Presidio
from fastgate.guards.adapters.prisma_airs import PrismaAirs
from fastgate.guards.adapters.verdict import PASS, Span, flagged
from fastgate.guards.adapters.webhook import Webhook
from fastgate.providers.sigv4 import AwsKeys, authorization
from tests.support.guard_vendors import stub

TEXT = "mail jo@corp.net now"


class Case(NamedTuple):
    """One vendor: how it is made, where it must call, what it must send, and three answers."""

    make: Callable[[str], Vendor]
    path: str
    header: tuple[str, str] | None
    sent: Callable[[Any], bool]
    answer_path: str
    clean: Any
    bad: Any
    categories: tuple[str, ...]
    spans: tuple[Span, ...] = ()
    text: str | None = None


SPAN = (Span(5, 16, "EMAIL_ADDRESS"),)
CASES = {
    "lakera": Case(
        lambda url: Lakera("k1", "project-7", url=url),
        "/v2/guard",
        ("authorization", "Bearer k1"),
        lambda b: (
            b["messages"] == [{"role": "user", "content": TEXT}] and b["project_id"] == "project-7" and b["payload"]
        ),
        "/v2/guard",
        {"flagged": False, "payload": [], "breakdown": []},
        {
            "flagged": True,
            "payload": [{"start": 5, "end": 16, "text": "x", "detector_type": "pii/email"}],
            "breakdown": [{"detector_type": "pii/email", "detected": True}, {"detector_type": "a", "detected": False}],
        },
        ("pii/email",),
        (Span(5, 16, "pii/email"),),
    ),
    "azure-content-safety": Case(
        lambda url: AzureContentSafety(url, "k2", lists=("own",)),
        "/contentsafety/text:analyze?api-version=2024-09-01",
        ("ocp-apim-subscription-key", "k2"),
        lambda b: b["text"] == TEXT and b["blocklistNames"] == ["own"] and b["haltOnBlocklistHit"] is False,
        "/contentsafety/text:analyze?api-version=2024-09-01",
        {"blocklistsMatch": [], "categoriesAnalysis": [{"category": "Hate", "severity": 0}]},
        {"blocklistsMatch": [{"blocklistName": "own"}], "categoriesAnalysis": [{"category": "Hate", "severity": 4}]},
        ("Hate", "list:own"),
    ),
    "azure-prompt-shields": Case(
        lambda url: AzurePromptShields(url, "k3"),
        "/contentsafety/text:shieldPrompt?api-version=2024-09-01",
        ("ocp-apim-subscription-key", "k3"),
        lambda b: b == {"userPrompt": TEXT, "documents": []},
        "/contentsafety/text:shieldPrompt?api-version=2024-09-01",
        {"userPromptAnalysis": {"attackDetected": False}, "documentsAnalysis": []},
        {"userPromptAnalysis": {"attackDetected": True}, "documentsAnalysis": []},
        ("prompt-attack",),
    ),
    "openai-moderation": Case(
        lambda url: OpenAIModeration("k4", url=url),
        "/v1/moderations",
        ("authorization", "Bearer k4"),
        lambda b: b == {"model": "omni-moderation-latest", "input": TEXT},
        "/v1/moderations",
        {"id": "m", "results": [{"flagged": False, "categories": {"hate": False}}]},
        {"id": "m", "results": [{"flagged": True, "categories": {"hate": False, "violence": True}}]},
        ("violence",),
    ),
    "model-armor": Case(
        lambda url: ModelArmor("token-1", "p", "eu", "t", url=url),
        "/v1/projects/p/locations/eu/templates/t:sanitizeUserPrompt",
        ("authorization", "Bearer token-1"),
        lambda b: b == {"userPromptData": {"text": TEXT}},
        "/v1/projects/p/locations/eu/templates/t:sanitizeModelResponse",
        {
            "sanitizationResult": {
                "filterMatchState": "NO_MATCH_FOUND",
                "invocationResult": "SUCCESS",
                "filterResults": {},
            }
        },
        {
            "sanitizationResult": {
                "filterMatchState": "MATCH_FOUND",
                "invocationResult": "SUCCESS",
                "filterResults": {
                    "sdp": {
                        "sdpFilterResult": {
                            "deidentifyResult": {"matchState": "MATCH_FOUND", "data": {"text": "mail [X]"}}
                        }
                    },
                    "csam": {"csamFilterFilterResult": {"matchState": "NO_MATCH_FOUND"}},
                },
            }
        },
        ("sdp",),
        text="mail [X]",
    ),
    "presidio": Case(
        lambda url: Presidio(url, entities=("EMAIL_ADDRESS",)),
        "/analyze",
        None,
        lambda b: b == {"text": TEXT, "language": "en", "score_threshold": 0.5, "entities": ["EMAIL_ADDRESS"]},
        "/analyze",
        [],
        [
            {"entity_type": "EMAIL_ADDRESS", "start": 5, "end": 16, "score": 1.0},
            {"entity_type": "US_SSN", "start": 0, "end": 2, "score": 0.1},
        ],
        ("EMAIL_ADDRESS",),
        SPAN,
    ),
    "llm-guard": Case(
        lambda url: LlmGuard(url, "k5", ("Toxicity",)),
        "/analyze/prompt",
        ("authorization", "Bearer k5"),
        lambda b: b == {"prompt": TEXT, "scanners_suppress": ["Toxicity"]},
        "/analyze/output",
        {"is_valid": True, "scanners": {"Anonymize": 0.0}, "sanitized_prompt": TEXT},
        {"is_valid": False, "scanners": {"Anonymize": 1.0, "Code": 0.0}, "sanitized_prompt": "mail [REDACTED] now"},
        ("Anonymize",),
        text="mail [REDACTED] now",
    ),
    "nemo-guardrails": Case(
        lambda url: NemoGuardrails(url, "rails"),
        "/v1/chat/completions",
        None,
        lambda b: (
            b["config_id"] == "rails" and b["options"]["rails"] == ["input"] and b["messages"][0]["content"] == TEXT
        ),
        "/v1/chat/completions",
        {"messages": [], "log": {"activated_rails": [{"name": "check", "stop": False}]}},
        {"messages": [], "log": {"activated_rails": [{"name": "self check input", "stop": True}]}},
        ("self check input",),
    ),
    "pangea": Case(
        lambda url: Pangea("k6", url=url),
        "/v1beta/guard",
        ("authorization", "Bearer k6"),
        lambda b: b["input"]["messages"] == [{"role": "user", "content": TEXT}] and b["event_type"] == "input",
        "/v1beta/guard",
        {"status": "Success", "result": {"blocked": False, "transformed": False, "detectors": {}}},
        {
            "status": "Success",
            "result": {
                "blocked": False,
                "transformed": True,
                "output": {"messages": [{"role": "user", "content": "mail <EMAIL> now"}]},
                "detectors": {"pii_entity": {"detected": True}, "malicious_prompt": {"detected": False}},
            },
        },
        ("pii_entity",),
        text="mail <EMAIL> now",
    ),
    "aporia": Case(
        lambda url: Aporia(url, "k7"),
        "/validate",
        ("x-aporia-api-key", "k7"),
        lambda b: b == {"messages": [{"role": "user", "content": TEXT}], "validation_target": "prompt"},
        "/validate",
        {"action": "passthrough", "revised_response": None},
        {"action": "modify", "revised_response": "mail now"},
        ("modify",),
        text="mail now",
    ),
    "prisma-airs": Case(
        lambda url: PrismaAirs("k8", "strict", url=url),
        "/v1/scan/sync/request",
        ("x-pan-token", "k8"),
        lambda b: b["contents"] == [{"prompt": TEXT}] and b["ai_profile"] == {"profile_name": "strict"},
        "/v1/scan/sync/request",
        {"action": "allow", "category": "benign", "scan_id": "s"},
        {"action": "block", "category": "malicious", "prompt_detected": {"injection": True, "dlp": False}},
        ("injection",),
    ),
    "llama-guard": Case(
        lambda url: LlamaGuard(url + "/v1"),
        "/v1/chat/completions",
        None,
        lambda b: b["messages"] == [{"role": "user", "content": TEXT}] and b["temperature"] == 0,
        "/v1/chat/completions",
        {"choices": [{"message": {"content": "\n\nsafe"}}]},
        {"choices": [{"message": {"content": "\n\nunsafe\nS1,S10"}}]},
        ("S1", "S10"),
    ),
    "lasso": Case(
        lambda url: Lasso("k9", url=url),
        "/gateway/v3/classify",
        ("lasso-api-key", "k9"),
        lambda b: b == {"messages": [{"role": "user", "content": TEXT}], "messageType": "PROMPT"},
        "/gateway/v3/classify",
        {"deputies": {"jailbreak": False}, "violations_detected": False},
        {"deputies": {"jailbreak": True, "pii": False}, "violations_detected": True},
        ("jailbreak",),
    ),
    "generic-guardrail": Case(
        lambda url: GenericGuardrail(url, "k10"),
        "/beta/litellm_basic_guardrail_api",
        ("authorization", "Bearer k10"),
        lambda b: b["texts"] == [TEXT] and b["input_type"] == "request",
        "/beta/litellm_basic_guardrail_api",
        {"action": "NONE", "texts": [TEXT]},
        {"action": "GUARDRAIL_INTERVENED", "texts": ["mail"]},
        ("intervened",),
        text="mail",
    ),
    "webhook": Case(
        lambda url: Webhook(url + "/judge", "shared"),
        "/judge",
        None,
        lambda b: b == {"text": TEXT, "stage": "request"},
        "/judge",
        {"outcome": "pass"},
        {"outcome": "flag", "categories": ["pii"], "spans": [{"start": 5, "end": 16, "label": "EMAIL_ADDRESS"}]},
        ("EMAIL_ADDRESS",),
        SPAN,
    ),
    "bedrock-guardrails": Case(
        lambda url: BedrockGuardrails(AwsKeys("AKID", "secret", "session"), "eu-west-1", "gr:1", "3", url),
        "/guardrail/gr%3A1/version/3/apply",
        ("x-amz-security-token", "session"),
        lambda b: b == {"source": "INPUT", "content": [{"text": {"text": TEXT}}]},
        "/guardrail/gr%3A1/version/3/apply",
        {"action": "NONE", "outputs": [], "assessments": [{}]},
        {
            "action": "GUARDRAIL_INTERVENED",
            "outputs": [{"text": "mail {EMAIL} now"}],
            "assessments": [{"sensitiveInformationPolicy": {"piiEntities": []}, "invocationMetrics": {}}],
        },
        ("sensitiveInformationPolicy",),
        text="mail {EMAIL} now",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_what_is_sent_and_what_the_answers_mean(case: Case) -> None:
    answers = [case.clean, case.bad, case.clean]
    async with stub(lambda _: (200, answers.pop(0))) as server:
        adapter = Adapter(case.make(server.url))
        assert await adapter.screen(TEXT) == PASS
        found = await adapter.screen(TEXT)
        assert (found.outcome, found.categories, found.spans, found.text) == (
            "flag",
            case.categories,
            case.spans,
            case.text,
        )
        first, _ = server.received
        assert first.path == case.path and case.sent(first.body)
        assert first.headers["content-type"] == "application/json"
        if case.header:
            assert first.headers[case.header[0]] == case.header[1]
        if case.make(server.url).name != "azure-prompt-shields":
            assert await adapter.screen(TEXT, "answer") == PASS
            assert server.received[-1].path == case.answer_path and TEXT in server.received[-1].raw.decode()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize(
    "reply",
    [
        (500, {}),
        (401, {"error": "key"}),
        (200, {}),
        (200, "text"),
        b"HTTP/1.1 200 OK\r\n\r\nnot json",
        b"junk\r\n\r\n",
        b"",
    ],
    ids=["500", "401", "empty", "string", "no-json", "no-http", "closed"],
)
async def test_what_goes_wrong_is_not_scanned_and_tells_no_key(case: Case, reply: Any) -> None:
    async with stub(lambda _: reply) as server:
        found = await Adapter(case.make(server.url)).screen(TEXT)
    assert found.outcome == "not_scanned" and found.why
    assert TEXT not in found.why and "k1" not in found.why and "secret" not in found.why


async def test_an_answer_shields_documents_too() -> None:
    answer = {"userPromptAnalysis": None, "documentsAnalysis": [{"attackDetected": True}]}
    async with stub(lambda _: (200, answer)) as server:
        found = await Adapter(AzurePromptShields(server.url, "k")).screen(TEXT, "answer")
        assert found == flagged("document-attack")
        assert server.received[0].body == {"userPrompt": "", "documents": [TEXT]}


async def test_bedrock_is_signed_over_exactly_what_is_sent() -> None:
    keys = AwsKeys("AKID", "secret")
    async with stub(lambda _: (200, {"action": "NONE"})) as server:
        await Adapter(BedrockGuardrails(keys, "eu-west-1", "g", "1", server.url)).screen(TEXT)
        came = server.received[0]
    signed = [("host", came.headers["host"]), ("x-amz-date", came.headers["x-amz-date"])]
    expected = authorization(
        keys, "eu-west-1", "bedrock", came.headers["x-amz-date"], "POST", came.path, signed, came.raw
    )
    assert came.headers["authorization"] == expected


async def test_a_webhook_can_tell_who_asks() -> None:
    async with stub(lambda _: (200, {"outcome": "pass"})) as server:
        await Adapter(Webhook(server.url, "shared")).screen(TEXT)
        came = server.received[0]
    assert came.headers["x-fastgate-signature"] == "sha256=" + hmac.new(b"shared", came.raw, hashlib.sha256).hexdigest()


async def test_a_span_outside_of_the_text_is_no_span() -> None:
    async with stub(lambda _: (200, {"outcome": "flag", "spans": [{"start": 5, "end": 500, "label": "x"}]})) as server:
        assert (await Adapter(Webhook(server.url)).screen(TEXT)).outcome == "not_scanned"
