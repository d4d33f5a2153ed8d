"""Cascade and rules of the configuration as workers use them: for each step, which models stand there and where a call
goes.

Pure: the same settings and prices give the same steps.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Literal

from fastgate.config_routing import Routing
from fastgate.config_rules import minutes_of
from fastgate.prices.book import PriceData
from fastgate.snapshot import RuleRow

CALLER = ("org", "team", "user", "key", "cost_center")
"""What of who calls a rule may name."""

_GLOB = re.compile(r"[*?\[]")
_DATED = re.compile(r"\d{6,}")


def cascade_steps(
    routing: Routing, prices: PriceData, on: Literal["budget", "throttled"] = "budget"
) -> tuple[tuple[str, str], ...]:
    """(glob, model) from the dearest on; a glob that no listed model fits is left out: nothing can be sent there. Empty
    where the cascade is not for what happens `on`."""
    if on not in routing.cascade_on:
        return ()
    steps = []
    for entry in routing.cascade:
        model = model_of(entry, prices)
        if model is not None:
            steps.append((entry, model))
    return tuple(steps)


def rule_rows(routing: Routing, prices: PriceData) -> tuple[RuleRow, ...]:
    """The rules as workers try them. ValueError names a rule whose glob no listed model fits."""
    rows = []
    for index, rule in enumerate(routing.rules):
        model = model_of(rule.to, prices)
        if model is None:
            raise ValueError(f"routing.rules[{index}].to: no model with a listed price fits {rule.to}")
        when = rule.when
        rows.append(
            RuleRow(
                to=model,
                stage=when.stage or "",
                input_tokens=(when.input_tokens_gt, when.input_tokens_lt),
                new_input_tokens=(when.new_input_tokens_gt, when.new_input_tokens_lt),
                request_class=when.request_class,
                model=when.model or "",
                tools=when.tools,
                tool_use=when.tool_use,
                bounded_edit=when.bounded_edit,
                hours=None if when.hours is None else minutes_of(when.hours),
                days=when.days,
                tz=when.tz,
                who={name: glob for name in CALLER if (glob := getattr(when, name)) is not None},
                tags=when.tags,
            )
        )
    return tuple(rows)


def model_of(entry: str, prices: PriceData) -> str | None:
    """An id as it is; for a glob the newest listed model that fits it, None where there is none."""
    if not _GLOB.search(entry):
        return entry
    return newest(entry, {name for price in prices.prices if price.kind == "anthropic" for name in price.names})


def newest(glob: str, listed: set[str]) -> str | None:
    """Of the listed models that fit, the one with the highest version: `claude-opus-5-5` before `claude-opus-4-8`."""
    fitting = [name for name in listed if fnmatchcase(name, glob) and not name.endswith("-latest")]
    return max(fitting, key=lambda name: (_version(name), name), default=None)


def _version(name: str) -> tuple[int, ...]:
    """The numbers of an id in order, a snapshot's date left out."""
    return tuple(int(number) for number in re.findall(r"\d+", _DATED.sub("", name)))
