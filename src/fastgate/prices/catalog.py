"""The price catalogue: list prices and the operator's overrides, flattened into the data of a price book.

Owns the reading of the genai-prices package (its data ships in the wheel; nothing here goes to the network) and the
provider rules that its data leaves out. Control plane only: the data plane sees the resulting `PriceData`.
All arithmetic is in Fraction; a figure is rounded once, up, to whole pico-dollars a token.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from fractions import Fraction
from importlib.metadata import version
from math import ceil
from typing import TYPE_CHECKING

from fastgate._core.money import PriceRow
from fastgate.prices.book import Price, PriceData, endpoint_kind, family_of
from fastgate.prices.settings import PriceOverride, PriceSettings

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice

# Anthropic's prompt-caching rule, as factors on the input price; used where a source gives no figure of its own.
# Origin: platform.claude.com, about-claude/pricing, "Prompt caching".
WRITE_5M_FACTOR, WRITE_1H_FACTOR, READ_FACTOR = Fraction(5, 4), Fraction(2), Fraction(1, 10)

US_GEO_FACTOR = Fraction(11, 10)
"""`inference_geo: us` on all token classes, Opus 4.6 and later. Origin: platform.claude.com, about-claude/pricing and
manage-claude/data-residency."""
US_GEO_SINCE = (4, 6)

REGIONAL_FACTOR = Fraction(11, 10)
"""Regional endpoints of Bedrock and Vertex AI over their global ones, Sonnet 4.5 and later. Origin:
platform.claude.com, about-claude/pricing, "Third-party platform pricing"."""
REGIONAL_SINCE = (4, 5)

WEB_SEARCH_PER_1K = Fraction(10)
"""USD. Origin: platform.claude.com, about-claude/pricing; a fetch costs nothing but its tokens."""
CODE_EXECUTION_PER_1K = Fraction(50, 12)
"""USD. Code execution is billed by container time: $0.05 an hour, five minutes at least (same page). Usage counts
executions, not time, so each is charged the smallest slice; the monthly free hours are not known to a gateway."""

SAME_AS = {"claude-mythos-5": "claude-fable-5", "claude-mythos-5-1": "claude-fable-5-1"}
"""Limited-availability models that genai-prices leaves out; Anthropic lists them at the price of their twin."""

_KEYS = ("input_mtok", "output_mtok", "cache_write_mtok", "cache_write_1h_mtok", "cache_read_mtok")
_FIELDS = ("input", "output", "cache_write_5m", "cache_write_1h", "cache_read")
_RULES = (Fraction(1), None, WRITE_5M_FACTOR, WRITE_1H_FACTOR, READ_FACTOR)
"""Per class: the factor on the input price that stands in for a missing figure; output has none."""


@dataclass(frozen=True)
class Rates:
    """One model's prices: USD per million tokens of input, output, 5 m write, 1 h write, read; `above` holds for
    prompts longer than `tier_at` tokens; tools are USD per thousand uses."""

    base: tuple[Fraction, ...]
    above: tuple[Fraction, ...]
    tier_at: int = 0
    fast: Fraction = Fraction(1)
    us_geo: Fraction = Fraction(1)
    web_search: Fraction = WEB_SEARCH_PER_1K
    web_fetch: Fraction = Fraction(0)
    code_execution: Fraction = CODE_EXECUTION_PER_1K

    def scaled(self, factor: Fraction) -> Rates:
        return replace(self, base=tuple(r * factor for r in self.base), above=tuple(r * factor for r in self.above))

    def ints(self) -> tuple[int, ...]:
        """The ints of a PriceRow. $1 per million tokens is 10^6 pico a token, $1 per thousand uses 10^6 nano a use."""
        pico = [ceil(rate * 10**6) for rate in self.base]
        above = [ceil(rate * 10**6) for rate in self.above] if self.tier_at else pico
        tools = [ceil(usd * 10**6) for usd in (self.web_search, self.web_fetch, self.code_execution)]
        ppm = [ceil(self.fast * 10**6), ceil(self.us_geo * 10**6)]
        ints = (*pico, self.tier_at, *above, *tools, *ppm)
        PriceRow.of_ints(ints)  # refuses what the data plane would refuse
        return ints


@dataclass(frozen=True)
class Listed:
    """One model of the list: canonical family first in `names`."""

    names: tuple[str, ...]
    rates: Rates


def compile_prices(settings: PriceSettings, at: datetime | None = None) -> PriceData:
    """The price book's data for calls made at `at` (now when absent). ValueError names an override that cannot be."""
    listed = list_prices(at or datetime.now(UTC))
    overrides: list[Price] = []
    for i, override in enumerate(settings.overrides):
        overrides += _override(override, f"prices.overrides[{i}]", listed)
    if settings.worst is None:
        worst = Price("*", ("*",), "dearest of the list", dearest(listed))
    else:
        worst = Price("*", ("*",), "prices.worst", _figures(settings.worst, "prices.worst").ints())
    return PriceData(tuple(listed), tuple(overrides), worst, settings.unknown)


def list_prices(at: datetime) -> list[Price]:
    """Every Claude model at every kind of endpoint, in a fixed order."""
    from genai_prices.data import providers

    models = {provider.id: provider.models for provider in providers}
    origin = f"genai-prices {version('genai-prices')}"
    own = _anthropic(models["anthropic"], at)
    prices = [
        Price(kind, item.names, f"{origin}, anthropic", item.rates.ints())
        for kind in ("anthropic", "compatible", "foundry")
        for item in own
    ]
    prices += [Price("compatible", names, f"{origin}, fast", rates.ints()) for names, rates in _fast_ids(own)]
    elsewhere = [Listed(item.names, replace(item.rates, us_geo=Fraction(1))) for item in own]
    aws = {m.id: m for m in models["aws"] if "anthropic.claude" in m.id}
    google = [m for m in models["google"] if "claude" in m.id]
    for item in elsewhere:
        prices += _bedrock(item, aws, at, origin)
        prices += _vertex(item, google, at, origin)
    return sorted(prices, key=lambda price: (price.kind, price.names))


def dearest(prices: list[Price]) -> tuple[int, ...]:
    """A row that no row of the list exceeds in any class, tier or multiplier."""
    rows = [price.ints for price in prices]
    per_token = [max(max(row[i], row[6 + i]) for row in rows) for i in range(5)]
    return (*per_token, 0, *per_token, *(max(row[i] for row in rows) for i in range(11, 16)))


def model_version(family: str) -> tuple[int, int]:
    """(4, 6) for claude-opus-4-6, (5, 0) for claude-sonnet-5, (3, 5) for claude-3-5-haiku."""
    numbers = [int(n) for n in re.findall(r"\d+", family)][:2]
    return (numbers[0] if numbers else 0, numbers[1] if len(numbers) > 1 else 0)


def _anthropic(models: list[ModelInfo], at: datetime) -> list[Listed]:
    listed = []
    for model in models:
        family = family_of(model.id)
        standard = model.get_prices(at)
        rates = replace(
            _rates_of(standard),
            fast=_ratio(standard, model.get_prices(at, {"speed": "fast"})),
            us_geo=US_GEO_FACTOR if model_version(family) >= US_GEO_SINCE else Fraction(1),
        )
        listed.append(Listed((family, *_aliases(model, family)), rates))
    by_family = {item.names[0]: item for item in listed}
    listed += [
        Listed((family,), by_family[twin].rates)
        for family, twin in SAME_AS.items()
        if family not in by_family and twin in by_family
    ]
    return listed


def _aliases(model: ModelInfo, family: str) -> list[str]:
    """Other names that the source says are this model, written as `family_of` writes them."""
    from genai_prices.types import ClauseContains, ClauseEquals, ClauseOr, ClauseStartsWith

    clauses = model.match.or_ if isinstance(model.match, ClauseOr) else [model.match]
    texts = [model.id]
    for clause in clauses:
        if isinstance(clause, ClauseEquals):
            texts.append(clause.equals)
        elif isinstance(clause, ClauseStartsWith):
            texts.append(clause.starts_with)
        elif isinstance(clause, ClauseContains):
            texts.append(clause.contains)
    # A clause may stop inside a date ("claude-sonnet-4-2025"); a name never does.
    names = {family_of(text.rstrip("@")) for text in texts if not re.search(r"-20\d{0,5}$", text)}
    return sorted((names | {model.id}) - {family})


def _rates_of(price: ModelPrice) -> Rates:
    base: list[Fraction] = []
    above: list[Fraction] = []
    starts: set[int] = set()
    for key, rule in zip(_KEYS, _RULES, strict=True):
        value = getattr(price, key)
        if value is None:
            if rule is None or not base:
                raise ValueError(f"no {key} in {price}")
            base.append(base[0] * rule)
            above.append(above[0] * rule)
        elif isinstance(value, Decimal):
            base.append(Fraction(value))
            above.append(Fraction(value))
        else:
            base.append(Fraction(value.base))
            above.append(max(Fraction(tier.price) for tier in value.tiers))
            starts.update(tier.start for tier in value.tiers)
    search = price.web_searches_kcount
    # A row has one tier. A source with several is read at its lowest threshold and dearest price: never too cheap.
    return Rates(
        tuple(base),
        tuple(above),
        min(starts, default=0),
        web_search=Fraction(search) if isinstance(search, Decimal) else WEB_SEARCH_PER_1K,
    )


def _ratio(standard: ModelPrice, dearer: ModelPrice) -> Fraction:
    """The factor from one price to another; where classes differ, the largest."""
    pairs = zip(_rates_of(standard).base, _rates_of(dearer).base, strict=True)
    return max(Fraction(b, a) for a, b in pairs if a)


def _fast_ids(own: list[Listed]) -> Iterator[tuple[tuple[str, ...], Rates]]:
    """Resellers sell fast mode under an id of its own and do not report the speed."""
    for item in own:
        if item.rates.fast != 1:
            names = tuple(f"{name}-fast" for name in item.names)
            yield names, replace(item.rates.scaled(item.rates.fast), fast=Fraction(1))


def _bedrock(item: Listed, aws: dict[str, ModelInfo], at: datetime, origin: str) -> Iterator[Price]:
    for scope in ("global", "regional"):
        found = next(
            (m for m_id, m in aws.items() if m_id.startswith(f"{scope}.") and family_of(m_id) in item.names), None
        )
        if found is not None:
            rates = replace(_rates_of(found.get_prices(at)), fast=item.rates.fast)
            yield Price(f"bedrock-{scope}", item.names, f"{origin}, aws", rates.ints())
        else:
            yield _by_rule("bedrock", scope, item, origin)


def _vertex(item: Listed, google: list[ModelInfo], at: datetime, origin: str) -> Iterator[Price]:
    found = next((m for m in google if m.is_match(item.names[0])), None)
    if found is not None:
        item = Listed(item.names, replace(_rates_of(found.get_prices(at)), fast=item.rates.fast))
        origin += ", google"
    for scope in ("global", "regional"):
        yield _by_rule("vertex", scope, item, origin)


def _by_rule(kind: str, scope: str, item: Listed, origin: str) -> Price:
    """The list price, with the premium that regional endpoints carry."""
    premium = scope == "regional" and model_version(item.names[0]) >= REGIONAL_SINCE
    rates = item.rates.scaled(REGIONAL_FACTOR) if premium else item.rates
    return Price(f"{kind}-{scope}", item.names, f"{origin}, regional +10 %" if premium else origin, rates.ints())


def _override(override: PriceOverride, path: str, listed: list[Price]) -> list[Price]:
    if override.multiply is None:
        return [Price(override.kind, (override.model,), path, _figures(override, path).ints())]
    factor = _number(override.multiply, f"{path}.multiply")
    if override != PriceOverride(model=override.model, kind=override.kind, multiply=override.multiply):
        raise ValueError(f"{path}: multiply stands alone; remove the other figures")
    matched = [price for price in listed if _selects(override, price)]
    if not matched:
        raise ValueError(
            f"{path}: no listed model matches {override.model!r} on {override.kind!r}, so there is no price to multiply"
        )
    return [Price(p.kind, p.names, f"{path}, {p.source}", _times(p.ints, factor)) for p in matched]


def _selects(override: PriceOverride, price: Price) -> bool:
    on_kind = fnmatchcase(price.kind, override.kind) or fnmatchcase(endpoint_kind(price.kind), override.kind)
    return on_kind and any(fnmatchcase(name, override.model) for name in price.names)


def _times(ints: tuple[int, ...], factor: Fraction) -> tuple[int, ...]:
    """The row with its token prices multiplied, rounded up."""
    pico = [ceil(value * factor) for value in ints[:5]]
    above = [ceil(value * factor) for value in ints[6:11]]
    row = (*pico, ints[5], *above, *ints[11:])
    PriceRow.of_ints(row)
    return row


def _number(value: Decimal, path: str) -> Fraction:
    if not value.is_finite() or value < 0:
        raise ValueError(f"{path}: {value} is not an amount")
    return Fraction(value)


def _figures(override: PriceOverride, path: str) -> Rates:
    """The rates that an override spells out; cache classes follow the caching rule where it is silent."""
    if override.input is None or override.output is None:
        raise ValueError(f"{path}: needs multiply, or input and output")

    def amount(name: str, default: Fraction) -> Fraction:
        value = getattr(override, name)
        return default if value is None else _number(value, f"{path}.{name}")

    def classes(source: object, at: str) -> tuple[Fraction, ...]:
        found: list[Fraction] = []
        for key, rule in zip(_FIELDS, _RULES, strict=True):
            value = getattr(source, key)
            found.append(found[0] * (rule or 1) if value is None else _number(value, f"{at}.{key}"))
        return tuple(found)

    base = classes(override, path)
    long = override.long_prompt
    if long is not None and long.above <= 0:
        raise ValueError(f"{path}.long_prompt.above: must be positive")
    return Rates(
        base,
        base if long is None else classes(long, f"{path}.long_prompt"),
        0 if long is None else long.above,
        fast=amount("fast", Fraction(1)),
        us_geo=amount("us_geo", Fraction(1)),
        web_search=amount("web_search", WEB_SEARCH_PER_1K),
        web_fetch=amount("web_fetch", Fraction(0)),
        code_execution=amount("code_execution", CODE_EXECUTION_PER_1K),
    )
