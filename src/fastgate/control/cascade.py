"""The cascade of the configuration as workers use it: for each step, which models stand there and where a call goes.

Pure: the same settings and prices give the same steps.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from fastgate.config_routing import Routing
from fastgate.prices.book import PriceData

_GLOB = re.compile(r"[*?\[]")
_DATED = re.compile(r"\d{6,}")


def cascade_steps(routing: Routing, prices: PriceData) -> tuple[tuple[str, str], ...]:
    """(glob, model) from the dearest on; a glob that no listed model fits is left out: nothing can be sent there."""
    if "budget" not in routing.cascade_on:
        return ()
    listed = {name for price in prices.prices if price.kind == "anthropic" for name in price.names}
    steps = []
    for entry in routing.cascade:
        model = newest(entry, listed) if _GLOB.search(entry) else entry
        if model is not None:
            steps.append((entry, model))
    return tuple(steps)


def newest(glob: str, listed: set[str]) -> str | None:
    """Of the listed models that fit, the one with the highest version: `claude-opus-5-5` before `claude-opus-4-8`."""
    fitting = [name for name in listed if fnmatchcase(name, glob) and not name.endswith("-latest")]
    return max(fitting, key=lambda name: (_version(name), name), default=None)


def _version(name: str) -> tuple[int, ...]:
    """The numbers of an id in order, a snapshot's date left out."""
    return tuple(int(number) for number in re.findall(r"\d+", _DATED.sub("", name)))
