"""Budgets that bind no call as things stand: with a typing error in a tag or a model, money would be without its cap.

Pure; a warning, never an error, for what is missing today may be made tomorrow.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from fastgate.budgets import RESERVED_TAGS, selects_model, split_tag
from fastgate.config import Config
from fastgate.directory import Directory
from fastgate.prices.book import PriceData, family_of
from fastgate.prices.catalog import compile_prices
from fastgate.similar import hint
from fastgate.tree import Problem

WORDS = frozenset(("opus", "sonnet", "haiku"))
"""Families by name, for hints."""

_SPECIAL = re.compile(r"[*?\[].*")


def idle_in(directory: Directory, config: Config, prices: PriceData | None = None) -> Iterator[Problem]:
    """Of the budgets that a directory.yaml declares. Keys that were made by command may have other tags, which is
    said."""
    named = {tag for key in directory.keys for tag in (*key.tags, *key.open_tags)}
    named.update(tag for team in directory.teams for tag in team.open_tags)
    models: Collection[str] | None = None
    for index, budget in enumerate(directory.budgets):
        path = f"budgets[{index}]"
        if budget.level == "tag" and (told := idle_tag(budget.of, named)):
            yield Problem(config.directory or "", 0, f"{path}.of", f"{budget.id} binds no call of these keys: {told}")
        if budget.models and models is None:
            models = model_names(config, prices or compile_prices(config.prices))
        for told in idle_models(budget.models, models or ()):
            yield Problem(config.directory or "", 0, f"{path}.models", f"{budget.id}: {told}")


def idle_tag(of: str, named: Collection[str]) -> str:
    """What is to be said of a budget's tag; empty where some call may have it. `named` are the tags that some key has
    or may be given by its client."""
    name, _ = split_tag(of)
    if name in RESERVED_TAGS or name in named:
        return ""
    return f"no key has the tag {name}, and no client may set it{hint(name, named)}"


def idle_models(models: Sequence[str], known: Collection[str]) -> Iterator[str]:
    """What is to be said of each entry of a budget's `models` that no known model matches."""
    for entry in models:
        stem = _SPECIAL.sub("", entry)
        alike = stem != entry and any(stem.startswith(name) or name.startswith(stem) for name in known)
        if not alike and not any(selects_model((entry,), name) for name in known) and family_of(entry) not in known:
            near = hint(entry, sorted({*known, *WORDS}))
            yield f"no model with a known price is {entry}{near}"


def model_names(config: Config, prices: PriceData) -> Collection[str]:
    """Models that calls may be for: those with a price, and those that endpoints name themselves."""
    listed = {name for price in (*prices.prices, *prices.overrides) for name in price.names}
    return listed | {name for endpoint in config.endpoints for name in endpoint.models}
