"""One call as everybody outside sees it: the JSON of `GET /v1/fastgate/calls/{id}`, `calls list` and `calls show`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

from fastgate._core.money import format_usd
from fastgate.record import Attempt, CallRecord, Judgement, Step, Usage

RATIO_SCALE = 10_000

_UNJUDGED = Judgement()
_decode_judgement = msgspec.json.Decoder(Judgement).decode


def call_view(record: CallRecord, judgement: str | None = None) -> dict[str, Any]:
    """Money is a decimal string in USD with nine places, `at` RFC 3339 in UTC to the microsecond. `judgement` is the
    usage table's on the prompt cache, as JSON."""
    return {
        "id": record.id,
        "at": moment(record.at_ns),
        "org": record.org,
        "team": record.team,
        "user": record.user,
        "key": record.key,
        "tags": record.tags,
        "cost_center": record.cost_center,
        "session": record.session,
        "agent": record.agent,
        "model_asked": record.model_asked,
        "model_used": record.model_used,
        "endpoint": record.endpoint,
        "status": record.status,
        "outcome": record.outcome,
        "stream": record.stream,
        "cache": record.cache,
        "guard": record.guard,
        "routed": record.routed,
        "usage": usage_view(record.usage),
        "prompt_cache": prompt_cache_view(record, judgement),
        "cost": format_usd(record.cost_nano),
        "cost_asked": format_usd(record.cost_asked_nano),
        "saved": format_usd(record.saved_nano),
        "saved_by": saved_view(record),
        "stages": record.stages,
        "policy": record.policy,
        "attempts": [attempt_view(attempt) for attempt in record.attempts],
        "system_sha256": record.system_sha256,
        "tools": record.tools,
        "ladder": None if record.ladder is None else ladder_view(record.ladder),
        "verdicts": [msgspec.structs.asdict(verdict) for verdict in record.verdicts],
    }


def ladder_view(step: Step) -> dict[str, Any]:
    """What the ladder decided; `by` is `rule 1` from one on, or what else asked for a step."""
    return {
        "by": f"rule {step.rule + 1}" if step.rule >= 0 else STEPS[step.rule],
        "asked": step.asked,
        "to": step.to,
        "kept": step.kept,
        "stay": format_usd(step.stay_nano),
        "move": format_usd(step.move_nano),
    }


STEPS = {-1: "stage", -2: "ceiling", -3: "throttled", -4: "preferred"}


class Saved(Protocol):
    """A record, or the sum of many."""

    @property
    def saved_cache_nano(self) -> int: ...
    @property
    def saved_downgrade_nano(self) -> int: ...
    @property
    def saved_arbitration_nano(self) -> int: ...


def saved_view(of: Saved) -> dict[str, str]:
    """What was saved by cause; adds up to `saved`."""
    return {
        "cache": format_usd(of.saved_cache_nano),
        "downgrade": format_usd(of.saved_downgrade_nano),
        "arbitration": format_usd(of.saved_arbitration_nano),
    }


def usage_view(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_write_5m_tokens": usage.cache_write_5m_tokens,
        "cache_write_1h_tokens": usage.cache_write_1h_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "server_tools": usage.server_tools,
    }


def prompt_cache_view(record: CallRecord, judgement: str | None) -> dict[str, Any] | None:
    """What of the input was read from the provider's cache, what could have been, what broke it, and the marks that
    were placed for it. None for a call without input."""
    usage, placed = record.usage, record.placed
    whole = usage.input_tokens + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens + usage.cache_read_tokens
    if not whole:
        return None
    told = _decode_judgement(judgement) if judgement is not None else _UNJUDGED
    broke = None
    if told.broke is not None:
        broke = msgspec.structs.asdict(told.broke)
        broke["cost"] = format_usd(broke.pop("cost_nano"))
        if told.broke.byte < 0:
            broke["byte"] = None
    return {
        "read_ratio": ratio(usage.cache_read_tokens, whole),
        "expected_read": told.expected_read,
        "broke": broke,
        "placed": None if placed is None else placed.what,
        "placed_saves": None if placed is None else format_usd(placed.expected_nano),
    }


def ratio(part: int, whole: int) -> str:
    """A decimal of four places, rounded down; 0.0000 of nothing."""
    parts = part * RATIO_SCALE // whole if whole else 0
    return f"{parts // RATIO_SCALE}.{parts % RATIO_SCALE:04d}"


def attempt_view(attempt: Attempt) -> dict[str, Any]:
    return {
        "endpoint": attempt.endpoint,
        "model": attempt.model,
        "status": attempt.status,
        "error": attempt.error,
        "duration_ms": attempt.duration_us / 1000,
        "cost": format_usd(attempt.cost_nano),
    }


def moment(at_ns: int) -> str:
    """`2026-01-31T12:00:00.123456Z`."""
    seconds, rest_ns = divmod(at_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest_ns // 1000:06d}Z"
