"""Configuration and directory into the snapshot that workers use. Pure: the same input gives the same bytes.

Owns what is in a snapshot and its version. Must not know where rows come from nor how a snapshot travels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from fastgate import config as settings
from fastgate import snapshot, snapshot_cache
from fastgate.bulk import burst
from fastgate.caching.semantic import settings as semantic
from fastgate.config_endpoints import Endpoint
from fastgate.control.cascade import cascade_steps, rule_rows
from fastgate.guards.settings import in_force
from fastgate.prices.book import PriceData
from fastgate.stores.ports import DirectoryRows, SecretRow

VERSION_CHARS = 12
"""48 bits: among a million published versions a clash has a chance of 0.2 %, and generations tell them apart anyway."""

WEIGHT_PARTS = 1_000_000
"""Into so many an endpoint's weight is divided among its keys."""

_canonical = msgspec.msgpack.Encoder(order="deterministic").encode


def compile_snapshot(
    config: settings.Config, directory: DirectoryRows, prices: PriceData, generation: int, now_ns: int
) -> snapshot.SnapshotData:
    """The snapshot of this moment: keys that are revoked or expired at `now_ns` are absent."""
    content = snapshot.SnapshotData(
        generation=0,
        version="",
        headers=snapshot.HeaderNames(prefix=config.headers.prefix, also=config.headers.also),
        limits=_limits(config.limits),
        endpoints=_endpoints(config.endpoints),
        keys=_keys(directory.secrets, now_ns),
        prices=prices,
        guards=in_force(config.guards),
        budgets=_budgets(directory.budgets, now_ns),
        pauses=_pauses(directory.pauses, now_ns),
        rates=_rates(config.limits, directory.rates),
        cache=_cache(config),
        prompt=_prompt(config),
        owners=dict(sorted(directory.owners.items())),
        cascade=cascade_steps(config.routing, prices),
        routing=snapshot.RoutingRow(config.routing.strategy, config.routing.latency_ms, config.routing.models),
        throttled=cascade_steps(config.routing, prices, "throttled"),
        rules=rule_rows(config.routing, prices),
        opt_out=config.routing.opt_out,
    )
    return msgspec.structs.replace(content, generation=generation, version=version_of(content))


def version_of(content: snapshot.SnapshotData) -> str:
    """Digest of everything but generation and version."""
    bare = msgspec.structs.replace(content, generation=0, version="")
    return hashlib.sha256(_canonical(bare)).hexdigest()[:VERSION_CHARS]


def is_live(row: SecretRow, now_ns: int) -> bool:
    """Whether a secret opens anything at `now_ns`."""
    return row.revoked_ns == 0 and not 0 < _not_after_ns(row) <= now_ns


def next_expiry_ns(data: snapshot.SnapshotData) -> int:
    """When the first of the snapshot's secrets, increases and pauses ends, 0 if none does. Workers know each end by
    themselves; recompiling then only frees its row."""
    secrets = (row.not_after_ns for row in data.keys if row.not_after_ns)
    increases = (each.not_after_ns for row in data.budgets for each in row.increases)
    pauses = (row.until_ns for row in data.pauses if row.until_ns)
    return min((*secrets, *increases, *pauses), default=0)


def _not_after_ns(row: SecretRow) -> int:
    """The earlier end of secret and key, where 0 is none."""
    ends = [end for end in (row.not_after_ns, row.expires_ns) if end]
    return min(ends, default=0)


def _keys(secrets: list[SecretRow], now_ns: int) -> list[snapshot.KeyRow]:
    """In the order of digests, so that the version does not depend on the store's."""
    with burst():
        live = [_key(row) for row in secrets if is_live(row, now_ns)]
    return sorted(live, key=lambda row: row.digest)


def _key(row: SecretRow) -> snapshot.KeyRow:
    return snapshot.KeyRow(
        digest=row.digest,
        key=row.key,
        user=row.user,
        team=row.team,
        org=row.org,
        cost_center=row.cost_center,
        tags=row.tags,
        models=tuple(row.models),
        not_after_ns=_not_after_ns(row),
        open_tags=tuple(row.open_tags),
        cache_overrides=row.cache_overrides,
    )


def _budgets(rows: Iterable[snapshot.BudgetRow], now_ns: int) -> tuple[snapshot.BudgetRow, ...]:
    live = [
        msgspec.structs.replace(row, increases=tuple(each for each in row.increases if each.not_after_ns > now_ns))
        for row in rows
    ]
    return tuple(sorted(live, key=lambda row: row.id))


def _pauses(rows: Iterable[snapshot.PauseRow], now_ns: int) -> tuple[snapshot.PauseRow, ...]:
    live = [row for row in rows if not 0 < row.until_ns <= now_ns]
    return tuple(sorted(live, key=lambda row: (row.level, row.of, row.org)))


def _rates(limits: settings.Limits, rows: Iterable[snapshot.RateRow]) -> tuple[snapshot.RateRow, ...]:
    """Empty where every limit is none, so that workers need not look."""
    of_keys = snapshot.RateRow("key", "", limits.requests_per_minute, limits.tokens_per_minute, limits.parallel_calls)
    found = sorted([of_keys, *rows], key=lambda row: (row.level, row.of))
    limited = any(row.requests_per_minute or row.tokens_per_minute or row.parallel_calls for row in found)
    return tuple(found) if limited else ()


def _limits(limits: settings.Limits) -> snapshot.Limits:
    return snapshot.Limits(**{field: getattr(limits, field) for field in snapshot.Limits.__struct_fields__})


def _cache(config: settings.Config) -> snapshot_cache.CachePolicy | None:
    """None where nothing is cached: then the data plane asks no further."""
    cache = config.cache
    if cache is None or not cache.exact.enabled:
        return None
    exact = cache.exact
    return snapshot_cache.CachePolicy(
        ttl_ns=exact.ttl_s * 1_000_000_000,
        width=exact.namespace,
        in_flight=exact.in_flight,
        count_tokens=exact.count_tokens,
        entry_bytes=exact.entry_bytes,
        temperature=exact.temperature,
        overrides=cache.overrides,
        overrides_denied=cache.overrides_denied,
        rules=hashlib.sha256(_canonical(in_force(config.guards))).hexdigest()[:VERSION_CHARS],
        store=cache.store.reference,
        memory_bytes=cache.memory_bytes,
        disk_bytes=cache.disk_bytes,
        semantic=semantic.compiled(cache.semantic),
        paced=exact.replay == "paced",
    )


def _prompt(config: settings.Config) -> snapshot_cache.PromptPolicy | None:
    """None where no mark is to be placed."""
    asked = config.cache.prompt if config.cache is not None else None
    if asked is None or not (asked.breakpoints or asked.hour):
        return None
    return snapshot_cache.PromptPolicy(asked.breakpoints, asked.hour)


def _endpoints(configured: Iterable[Endpoint]) -> tuple[snapshot.Endpoint, ...]:
    """One for each endpoint, or for each key of one that has several; together these weigh as much as the endpoint."""
    several = any(endpoint.keys for endpoint in configured)
    found = []
    for endpoint in configured:
        whole = endpoint.weight * WEIGHT_PARTS if several else endpoint.weight
        one = msgspec.structs.replace(_endpoint(endpoint), weight=whole)
        if not endpoint.keys:
            found.append(one)
            continue
        total = sum(key.weight for key in endpoint.keys)
        for index, key in enumerate(endpoint.keys):
            limits = key.limits
            found.append(
                msgspec.structs.replace(
                    one,
                    api_key=key.api_key.reference,
                    key=key.name or str(index + 1),
                    weight=whole * key.weight // total,
                    key_weight=key.weight,
                    limits=(limits.requests_per_minute, limits.tokens_per_minute, limits.parallel),
                )
            )
    return tuple(found)


def _endpoint(endpoint: Endpoint) -> snapshot.Endpoint:
    return snapshot.Endpoint(
        name=endpoint.name,
        kind=endpoint.kind,
        base_url=endpoint.base_url,
        api_key="" if endpoint.api_key is None else endpoint.api_key.reference,
        auth=endpoint.auth,
        anthropic_version=endpoint.anthropic_version,
        pin_version=endpoint.pin,
        ca_file=endpoint.ca_file,
        region=endpoint.region,
        project=endpoint.project,
        resource=endpoint.resource,
        scope=endpoint.scope,
        profile=endpoint.profile,
        credentials_file=endpoint.credentials.file,
        command=endpoint.credentials.command,
        models=endpoint.models,
        models_only=endpoint.models_only,
        betas=endpoint.betas,
        fields=endpoint.fields,
        priority=endpoint.priority,
        weight=endpoint.weight,
    )
