"""What a client may say about caching in its request headers: `x-fastgate-cache…`, and the same as `x-agentcc-cache…`.

cache: no-store       answer from the cache if it can, keep nothing
cache: no-cache       ask the provider, keep the answer; as force-refresh: true
cache: bypass         as if there were no cache
cache-ttl: 300        or 300s, 5m, 2h, 1d: no older answer is given, and this one is kept for so long
cache-namespace: NAME a partition of the namespace that the configuration gives
"""

from __future__ import annotations

import re

import msgspec

PREFIXES = ("x-fastgate-cache", "x-agentcc-cache")

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")

TTL = re.compile(r"(\d{1,9})([smhd]?)")
TTL_MAX_S = 10 * 366 * 86_400
"""Ten years: longer than any store keeps an answer, and in nanoseconds still a number of 64 bits."""
SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}

MODES = ("no-store", "no-cache", "bypass")

SECOND_NS = 1_000_000_000


class Overrides(msgspec.Struct, frozen=True, kw_only=True):
    """What one request says. `ttl_ns` is 0 where it says nothing."""

    bypass: bool = False
    no_store: bool = False
    refresh: bool = False
    ttl_ns: int = 0
    namespace: str = ""


NONE = Overrides()


def read_overrides(own: list[tuple[str, str]] | None) -> Overrides:
    """The overrides among a request's own headers. Raises ValueError with what is wrong with one."""
    if own is None:
        return NONE
    said: dict[str, str] = {}
    for name, value in own:
        for prefix in PREFIXES:
            if name.startswith(prefix):
                said.setdefault(name.removeprefix(prefix).lstrip("-"), value.strip())
    if not said:
        return NONE
    modes = {mode.strip().lower() for mode in said.pop("", "").split(",") if mode.strip()}
    if unknown := modes.difference(MODES):
        raise ValueError(f"x-fastgate-cache: {min(unknown)!r} is none of {', '.join(MODES)}")
    refresh = truth(said.pop("force-refresh", "false"))
    ttl_ns = duration_ns(said.pop("ttl", ""))
    namespace = said.pop("namespace", "")
    if namespace and not NAME.fullmatch(namespace):
        raise ValueError("x-fastgate-cache-namespace: a name has 1 to 64 letters, digits, dots, dashes or colons")
    if said:
        raise ValueError(f"x-fastgate-cache-{min(said)} is not a header of this gateway")
    return Overrides(
        bypass="bypass" in modes,
        no_store="no-store" in modes,
        refresh=refresh or "no-cache" in modes,
        ttl_ns=ttl_ns,
        namespace=namespace,
    )


def truth(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise ValueError(f"x-fastgate-cache-force-refresh: {text!r} is not true or false")
    return text.lower() in ("true", "1")


def duration_ns(text: str) -> int:
    if not text:
        return 0
    found = TTL.fullmatch(text)
    seconds = int(found[1]) * SECONDS[found[2]] if found is not None else 0
    if not 0 < seconds <= TTL_MAX_S:
        raise ValueError(f"x-fastgate-cache-ttl: {text!r} is no time, or over ten years; write 300, 300s, 5m, 2h or 1d")
    return seconds * SECOND_NS
