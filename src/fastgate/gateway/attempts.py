"""Attempts of one call: which failures another one may mend, how long to wait before it, what a failed one may cost.

Decisions alone; the relay carries them out. Before the first content block nothing has reached the client, so another
attempt is invisible to it; after that none is made.
"""

from __future__ import annotations

from random import random
from typing import TYPE_CHECKING

from fastgate._core.usage import Usage
from fastgate.errors import Kind

if TYPE_CHECKING:
    from fastgate._core.pump import Pump
    from fastgate.call import Call

AGAIN = frozenset((
    Kind.CONNECT, Kind.CONNECT_TIMEOUT, Kind.FIRST_BYTE_TIMEOUT, Kind.IDLE_TIMEOUT, Kind.RESET, Kind.TRUNCATED,
    Kind.BAD_RESPONSE, Kind.STREAM_ERROR,
))  # fmt: skip
"""Failures of an endpoint that another attempt, there or elsewhere, may not meet."""

ELSEWHERE = frozenset((Kind.UNSUPPORTED, Kind.PROVIDER_CREDENTIAL))
"""Failures that the same endpoint would repeat."""

UNSENT = frozenset((Kind.CONNECT, Kind.CONNECT_TIMEOUT, Kind.UNSUPPORTED))
"""Failures before anything was sent: they use up no attempt."""

WAITED = frozenset((Kind.FIRST_BYTE_TIMEOUT, Kind.IDLE_TIMEOUT, Kind.TOTAL_TIMEOUT))
"""Failures in which the gateway gave up, not the provider."""

BUSY = frozenset((408, 429, 500, 502, 503, 504, 529))
"""Answers that say "not now" (Anthropic's API reference, errors; AWS and Google use the same)."""

THROTTLED = frozenset((429, 529))
THROTTLED_TYPES = frozenset(("rate_limit_error", "overloaded_error"))
"""Answers and stream errors that speak of load (Anthropic's API reference, errors)."""

INPUT_BYTES_PER_TOKEN = 4
"""Stands in for input usage that the provider never stated: English and code run at 2.3 to 4.5 bytes a token."""

PAUSE_FIRST_S = 0.25
PAUSE_MAX_S = 8.0
"""Between rounds over all endpoints: Claude Code itself begins at half a second, and this comes before it."""


def worth_another(pump: Pump) -> bool:
    """Whether an answer is one that another attempt may better. The provider's own word goes first."""
    return pump.status in BUSY and header(pump, "x-should-retry") != "false"


def throttles(call: Call, error: str) -> bool:
    """Whether the attempt that failed so says that its endpoint has too much to do, or that we ask too often."""
    pump, meter = call.pump, call.meter
    if error == Kind.STREAM_ERROR.value:
        return meter is not None and meter.error_type in THROTTLED_TYPES
    return pump is not None and pump.status in THROTTLED


def header(pump: Pump, name: str) -> str:
    return next((value for key, value in pump.headers if key == name), "")


WAIT_MAX_S = 86_400.0
"""Longest wait that is believed; what a provider says may be any number, also none that is finite."""


def wait_of(pump: Pump) -> float:
    """Seconds that a provider asks us to wait, 0 where it does not. A date is not read: providers send seconds."""
    text = header(pump, "retry-after")
    try:
        return min(max(0.0, float(text)), WAIT_MAX_S) if text else 0.0
    except ValueError:
        return 0.0


def pause_s(rounds: int, asked_s: float) -> float:
    """How long to wait before the next round: what was asked, at least a growing pause, spread so that calls which
    failed together do not come back together."""
    grown = min(PAUSE_MAX_S, PAUSE_FIRST_S * (1 << min(rounds - 1, 10)))
    spread: float = random()  # noqa: S311  # of load, not of secrets
    return max(asked_s, grown) * (1.0 + spread / 4)


def attempt_cost(call: Call, error: str) -> int:
    """What an attempt that failed may have cost: what it stated, or the input where the provider was at work on it."""
    meter, row, pump = call.meter, call.price, call.pump
    if meter is None or row is None or not call.sent or call.route == "count_tokens":
        return 0
    if (pump is not None and pump.status >= 300) or (meter.errored and not meter.started):
        return 0  # refused, with a status or as the first event of a stream: not billed
    if meter.usage.seen:
        usage = meter.floor()
    elif (pump is not None and pump.good) or error in WAITED:
        usage = estimated(call, meter.floor().output_tokens)
    else:
        return 0
    try:
        cost_nano = row.cost(usage)
    except OverflowError:
        return call.bound_nano
    if call.snapshot.limits.unknown_usage == "bound" and not (usage.final and not usage.malformed):
        return max(cost_nano, call.bound_nano)
    return cost_nano


def estimated(call: Call, output_tokens: int) -> Usage:
    """Usage from sizes alone: the whole request as plain input, and the output that was seen."""
    return Usage.of(input_tokens=-(-len(call.body) // INPUT_BYTES_PER_TOKEN), output_tokens=output_tokens)
