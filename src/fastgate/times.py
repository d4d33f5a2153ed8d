"""Moments as text: RFC 3339 in UTC out, RFC 3339 or epoch seconds in. Nanoseconds inside, exactly."""

from __future__ import annotations

import re
from datetime import UTC, datetime

NS = 1_000_000_000

LAST_NS = 2**63 - 1
"""2262-04-11: what 64 bits hold. Stores, journals and snapshots keep moments so."""

_EPOCH = re.compile(r"\d{1,10}(\.\d{1,9})?")


def rfc3339(at_ns: int) -> str:
    """UTC to the millisecond: `2027-01-01T00:00:00.000Z`."""
    seconds, rest_ns = divmod(at_ns, NS)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{rest_ns // 1_000_000:03d}Z"


def minute(at_ns: int) -> str:
    """UTC to the minute, for people: `2027-01-01 00:00 UTC`."""
    return datetime.fromtimestamp(at_ns // NS, UTC).strftime("%Y-%m-%d %H:%M UTC")


def parse_moment(text: str) -> int:
    """Nanoseconds since the epoch. A date is its first instant in UTC; a time without a zone is UTC.

    Raises ValueError with what is wrong."""
    at_ns = _epoch_ns(text) if _EPOCH.fullmatch(text) else _iso_ns(text)
    if not -LAST_NS <= at_ns <= LAST_NS:
        raise ValueError(f"{text[:40]!r} lies beyond the year 2262, where 64 bits of nanoseconds end")
    return at_ns


def _epoch_ns(text: str) -> int:
    seconds, _, fraction = text.partition(".")
    return int(seconds) * NS + int(fraction.ljust(9, "0"))


def _iso_ns(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text[:40]!r} is no moment; write 2027-01-01, 2027-01-01T12:00:00Z or epoch seconds"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.replace(microsecond=0).timestamp()) * NS + moment.microsecond * 1000
