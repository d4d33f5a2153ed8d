"""The FOCUS export: recorded spend in the columns of the FinOps Open Cost and Usage Specification 1.2, as CSV.

Owns the columns and what each row means; docs/reports.md states what of the specification a gateway cannot know. One
row is one UTC day of one organisation, cost centre, team, user, key, tags, model and endpoint, so BilledCost adds up to
the ledger to the nano-dollar.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from fastgate._core.money import format_usd
from fastgate.cells import harmless
from fastgate.control.usage_queries import FocusGroup

FOCUS_VERSION = "1.2"

COLUMNS = (
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd",
    "BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency", "ChargePeriodEnd",
    "ChargePeriodStart", "ConsumedQuantity", "ConsumedUnit", "ContractedCost", "EffectiveCost", "InvoiceIssuerName",
    "ListCost", "PricingCategory", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName", "RegionId",
    "RegionName", "ResourceId", "ResourceName", "ResourceType", "ServiceCategory", "ServiceName", "ServiceSubcategory",
    "SkuId", "SubAccountId", "SubAccountName", "Tags", "x_CacheReadTokens", "x_CacheWrite1hTokens",
    "x_CacheWrite5mTokens", "x_Calls", "x_CostCenter", "x_Endpoint", "x_InputTokens", "x_OutputTokens", "x_SavedCost",
    "x_User",
)  # fmt: skip
"""In alphabetical order, as the specification's column handling asks; the custom ones, prefixed x_, last."""

PUBLISHER = "Anthropic"

PROVIDERS: Mapping[str, tuple[str, str]] = {
    "anthropic": ("Anthropic", "Claude API"),
    "bedrock": ("Amazon Web Services", "Amazon Bedrock"),
    "vertex": ("Google Cloud", "Vertex AI"),
    "foundry": ("Microsoft", "Microsoft Foundry"),
}
"""An endpoint's kind: who provides it, and the service. A compatible endpoint is provided by whoever runs it: its name
stands for both."""

UNIT = "Tokens"

FIXED = {
    "BillingCurrency": "USD",
    "ChargeCategory": "Usage",
    "ChargeClass": "",
    "ChargeFrequency": "Usage-Based",
    "ConsumedUnit": UNIT,
    "PricingCategory": "Standard",
    "PricingUnit": UNIT,
    "PublisherName": PUBLISHER,
    "RegionId": "",
    "RegionName": "",
    "ServiceCategory": "AI and Machine Learning",
    "ServiceSubcategory": "Generative AI",
}
"""What every row says. A null is an empty cell."""

CHUNK_ROWS = 500
"""Rows written at a time: about 300 KiB."""

DAY = timedelta(days=1)

_json = msgspec.json.Encoder(order="sorted").encode


def row_of(group: FocusGroup) -> dict[str, str]:
    """What one row says of its group."""
    day = datetime.fromtimestamp(group.day * DAY.total_seconds(), UTC)
    month = day.replace(day=1)
    provider, service = PROVIDERS.get(group.provider, (group.endpoint or "none", group.endpoint or "none"))
    tokens = str(
        group.input_tokens
        + group.output_tokens
        + group.cache_write_5m_tokens
        + group.cache_write_1h_tokens
        + group.cache_read_tokens
    )
    cost = format_usd(group.cost_nano)
    tags = msgspec.json.decode(group.tags, type=dict[str, str]) if group.tags else {}
    if group.cost_center:
        tags["cost_center"] = group.cost_center
    return {
        "BilledCost": cost,
        "BillingAccountId": group.org or "none",
        "BillingAccountName": group.org or "none",
        "BillingPeriodEnd": _moment((month + 31 * DAY).replace(day=1)),
        "BillingPeriodStart": _moment(month),
        "ChargeDescription": harmless(f"{group.model or 'no model'} through {group.endpoint or 'no endpoint'}"),
        "ChargePeriodEnd": _moment(day + DAY),
        "ChargePeriodStart": _moment(day),
        "ConsumedQuantity": tokens,
        "ContractedCost": cost,
        "EffectiveCost": cost,
        "InvoiceIssuerName": harmless(provider),
        "ListCost": cost,
        "PricingQuantity": tokens,
        "ProviderName": harmless(provider),
        "ResourceId": group.key,
        "ResourceName": group.key,
        "ResourceType": "Virtual key" if group.key else "",
        "ServiceName": harmless(service),
        "SkuId": harmless(group.model or "none"),
        "SubAccountId": group.team,
        "SubAccountName": group.team,
        "Tags": _json(tags).decode(),
        "x_CacheReadTokens": str(group.cache_read_tokens),
        "x_CacheWrite1hTokens": str(group.cache_write_1h_tokens),
        "x_CacheWrite5mTokens": str(group.cache_write_5m_tokens),
        "x_Calls": str(group.calls),
        "x_CostCenter": group.cost_center,
        "x_Endpoint": group.endpoint,
        "x_InputTokens": str(group.input_tokens),
        "x_OutputTokens": str(group.output_tokens),
        "x_SavedCost": format_usd(group.saved_nano),
        "x_User": harmless(group.user),
    }


def csv_chunks(groups: Iterable[FocusGroup]) -> Iterator[bytes]:
    """The export, a few hundred rows at a time, the header first."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")  # RFC 4180
    writer.writerow(COLUMNS)
    for count, group in enumerate(groups, 1):
        row = FIXED | row_of(group)
        writer.writerow([row[name] for name in COLUMNS])
        if count % CHUNK_ROWS == 0:
            yield _taken(buffer)
    yield _taken(buffer)


def _taken(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()


def _moment(at: datetime) -> str:
    """ISO 8601 in UTC, as the specification's date and time format asks."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
