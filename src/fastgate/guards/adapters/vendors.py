"""The vendors that `use:` may name, and how a row of the configuration becomes one.

A vendor's fields are its settings, but for those that every guard has: key, address, limits. Nothing is asked here.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from fastgate.clock import wall_ns
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
from fastgate.guards.adapters.prompt_guard import PromptGuard
from fastgate.guards.adapters.webhook import Webhook
from fastgate.guards.rule import ANSWER, RuleError
from fastgate.providers.credentials import (
    REREAD_NS,
    CredentialError,
    Fetched,
    Rotating,
    aws_from_environ,
    aws_from_file,
    from_command,
)
from fastgate.providers.google import fetch_token
from fastgate.refs import RefError, resolve_refs

if TYPE_CHECKING:
    from fastgate.guards.adapters.client import Client
    from fastgate.providers.credentials import Value
    from fastgate.snapshot import GuardRow

VENDORS: Mapping[str, type[Any]] = {
    "aporia": Aporia,
    "azure-content-safety": AzureContentSafety,
    "azure-prompt-shields": AzurePromptShields,
    "bedrock-guardrails": BedrockGuardrails,
    "generic-guardrail": GenericGuardrail,
    "lakera": Lakera,
    "lasso": Lasso,
    "llama-guard": LlamaGuard,
    "llm-guard": LlmGuard,
    "model-armor": ModelArmor,
    "nemo-guardrails": NemoGuardrails,
    "openai-moderation": OpenAIModeration,
    "pangea": Pangea,
    "presidio": Presidio,
    "prisma-airs": PrismaAirs,
    "prompt-guard": PromptGuard,
    "webhook": Webhook,
}

REDACTING = frozenset(
    {
        "aporia",
        "bedrock-guardrails",
        "generic-guardrail",
        "lakera",
        "llm-guard",
        "model-armor",
        "pangea",
        "presidio",
        "webhook",
    }
)
"""Those whose answers may say what is meant: places in the text, or the text without it. The others say whether."""

PROMPTS_ONLY = frozenset({"prompt-guard"})
"""Those that find attacks on a model and were taught nothing of its answers."""

COMMON = frozenset({"key", "url", "name", "part_chars", "media", "media_bytes", "timeout_s"})
"""Fields of vendors that are no settings."""


def settings_of(use: str) -> dict[str, tuple[Any, bool]]:
    """What may stand under `settings`: name -> (type, required)."""
    vendor = VENDORS[use]
    hints = typing.get_type_hints(vendor)
    return {
        field.name: (hints[field.name], field.default is dataclasses.MISSING)
        for field in dataclasses.fields(vendor)
        if field.name not in COMMON and not field.name.startswith("_")
    }


def check(row: GuardRow) -> None:
    """RuleError for what a guard of that name cannot be told."""
    use = row.use
    if row.rules or row.severity:
        raise RuleError(f"{use} is a vendor's: it has neither rules nor severities of ours")
    answers = sorted(set(row.on) & ANSWER)
    if answers and use in PROMPTS_ONLY:
        raise RuleError(f"{use} judges what is asked: {answers[0]} cannot be in `on`")
    if row.action == "redact" and use not in REDACTING:
        raise RuleError(f"{use} says whether something is found, not where: action must be block or log")
    fields = {field.name: field for field in dataclasses.fields(VENDORS[use])}
    sourced = bool(row.api_key or row.credentials_file or row.command)
    for name, given, how in (("url", bool(row.url), "url"), ("key", sourced, "api_key or credentials")):
        if name not in fields and given:
            raise RuleError(f"{use} takes no {how}")
        needed = name in fields and fields[name].default is dataclasses.MISSING
        if needed and not given and (use, name) not in AMBIENT:
            raise RuleError(f"{use} needs {how}")
    if row.profile and use != "bedrock-guardrails":
        raise RuleError(f"{use} has no profile")
    converted(row)


AMBIENT = frozenset({("bedrock-guardrails", "key"), ("model-armor", "key")})
"""Whose credential may come from the cloud's own places, as an endpoint's does."""


def converted(row: GuardRow) -> dict[str, Any]:
    """The settings with their types. RuleError for one that is missing, unknown or of another type."""
    known = settings_of(row.use)
    unknown = sorted(set(row.settings) - set(known))
    if unknown:
        has = f"it has: {', '.join(sorted(known))}" if known else "it has none"
        raise RuleError(f"{row.use} has no setting {unknown[0]}; {has}")
    missing = [name for name, (_, required) in known.items() if required and name not in row.settings]
    if missing:
        raise RuleError(f"{row.use} needs settings: {', '.join(missing)}")
    out = {}
    for name, value in row.settings.items():
        try:
            out[name] = msgspec.convert(value, known[name][0], strict=False)
        except msgspec.ValidationError as exc:
            raise RuleError(f"{row.use}: settings: {name}: {exc}") from None
    return out


def adapter_of(row: GuardRow, environ: Mapping[str, str], client: Client) -> Adapter | PromptGuard:
    """The vendor with its credential, ready to be asked. RuleError where a variable is not set."""
    check(row)
    settings = converted(row)
    if row.use == "prompt-guard":
        return PromptGuard(**settings, timeout_s=row.timeout_ms / 1000)
    if row.url:
        settings["url"] = row.url.rstrip("/")
    key, credential = credential_of(row, environ)
    fields = {field.name for field in dataclasses.fields(VENDORS[row.use])}
    if "key" in fields and (key or credential is not None):
        settings["key"] = key
    vendor: Vendor = VENDORS[row.use](**settings)
    return Adapter(vendor, timeout_s=row.timeout_ms / 1000, parallel=row.parallel, client=client, credential=credential)


def credential_of(row: GuardRow, environ: Mapping[str, str]) -> tuple[Value, Rotating | None]:
    """What the vendor is asked with: a fixed value, or one that ends and comes from a file, a command or the cloud."""
    name, file, command = f"guard {row.use}", row.credentials_file, row.command
    if row.api_key:
        try:
            return resolve_refs(row.api_key, environ), None
        except RefError as exc:
            raise RuleError(f"{row.use}: api_key: {exc}") from None
    if command:
        return "", Rotating(name, lambda: from_command(command))
    if row.use == "bedrock-guardrails":
        found = None if file or row.profile else aws_from_environ(environ)
        if found is not None:
            return found, None
        shared = file or environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")
        profile = row.profile or environ.get("AWS_PROFILE", "default")
        return "", Rotating(name, lambda: aws_from_file(shared, profile))
    if row.use == "model-armor":
        return "", Rotating(name, lambda: fetch_token(file, environ))
    return "", Rotating(name, lambda: from_file(file)) if file else None


def from_file(path: str) -> Fetched:
    """A key that is all that a file holds."""
    try:
        text = Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError):
        raise CredentialError(f"the file {path} cannot be read") from None
    if not text or not text.isascii() or not text.isprintable():
        raise CredentialError(f"the file {path} holds no key")
    return Fetched(text, wall_ns() + REREAD_NS)
