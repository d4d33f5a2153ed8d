"""Secrets: key formats of more than three hundred products, generic assignments, private keys, connection strings.

A key whose format has a check sum is critical where it fits and medium where it does not: a key with a wrong sum
opens no door, but who pasted it did not know that.
"""

from __future__ import annotations

from dataclasses import replace

from fastgate.guards.rule import Rule, Scanner, Severity
from fastgate.guards.scanners import _checksums, _formats
from fastgate.guards.scanners._assigned import named_rules
from fastgate.guards.scanners._formats import words
from fastgate.guards.scanners.secrets import files, generic
from fastgate.guards.scanners.secrets.business import BUSINESS
from fastgate.guards.scanners.secrets.cloud import CLOUD
from fastgate.guards.scanners.secrets.code import CODE
from fastgate.guards.scanners.secrets.models import MODELS
from fastgate.guards.scanners.secrets.named import NAMED

OWN_KEY = "fastgate-key             sk-fg-[A-Za-z0-9]{40}"
"""keys.py says how it is made."""

SUMMED = words(
    "github-token github-oauth-token github-user-token github-app-token github-refresh-token npm-token fastgate-key"
)
"""The last six signs are the CRC-32 of the ones before, behind the prefix."""

CRITICAL: dict[str, Severity] = dict.fromkeys(
    words(
        "aws-access-key-id aws-bedrock-api-key anthropic-admin-key anthropic-api-key azure-storage-account-key "
        "azure-storage-key stripe-live-key stripe-restricted-key onepassword-secret-key onepassword-service-token "
        "age-secret-key vault-service-token github-fine-grained-token gitlab-token pypi-token digitalocean-token "
        "slack-bot-token openai-project-key heroku-api-key"
    ),
    "critical",
)
LESSER: dict[str, Severity] = dict.fromkeys(
    words("google-private-key-id flutterwave-public-key mailgun-validation-key stripe-test-key discord-public-key"),
    "low",
)


def _sum_fits(text: bytes, start: int, end: int) -> bool:
    secret = text[start:end].decode("ascii")
    body = secret[max(secret.rfind("_"), secret.rfind("-")) + 1 :]
    return _checksums.crc32_base62(body[:-6]) == body[-6:]


def _sum_fails(text: bytes, start: int, end: int) -> bool:
    return not _sum_fits(text, start, end)


def _with_sum(key: str) -> str:
    head = max(key.rfind("_"), key.rfind("-")) + 1
    return key[:-6] + _checksums.crc32_base62(key[head:-6])


def _grafana_fits(text: bytes, start: int, end: int) -> bool:
    secret = text[start:end].decode("ascii")
    return _checksums.crc32_hex(secret[:-9]) == secret[-8:]


def _with_grafana_sum(key: str) -> str:
    return key[:-8] + _checksums.crc32_hex(key[:-9])


def _unverified(name: str, pattern: str) -> Rule:
    """The same format with a sum that does not fit."""
    return replace(
        _formats.key_rule(f"{name}-unverified", pattern, check=_sum_fails, severity="medium"),
        title=f"a key of the format {name}, with a wrong check sum",
    )


def _rules() -> tuple[Rule, ...]:
    tables = "\n".join(table.strip() for table in (CLOUD, CODE, MODELS, BUSINESS, OWN_KEY))
    checks = dict.fromkeys(SUMMED, (_sum_fits, _with_sum)) | {
        "grafana-service-token": (_grafana_fits, _with_grafana_sum)
    }
    summed: dict[str, Severity] = dict.fromkeys(SUMMED, "critical")
    severities = CRITICAL | LESSER | summed
    known = _formats.key_rules(tables, checks, severities)
    formats = dict(_formats.rows(tables))
    unverified = tuple(_unverified(name, formats[name]) for name in SUMMED)
    return (*known, *unverified, *named_rules(NAMED), *generic.RULES, *files.RULES)


SCANNER = Scanner(name="secrets", title="Keys, tokens, passwords and private keys", rules=_rules())
