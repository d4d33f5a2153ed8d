"""What older Claude models cannot take of what Claude Code sends to newer ones: data, with its origin.

A call that is moved to another model keeps its shape, and the model must be able to take it. Newer families, and
models that are not in the table, take everything.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import NamedTuple

from fastgate.prices.book import family_of


class Family(NamedTuple):
    """Tokens of the longest output and of the context window; whether it thinks adaptively, and knows efforts. None of
    these takes messages of the role `system`."""

    output_tokens: int
    context_tokens: int
    adaptive: bool = False
    effort: bool = False


WINDOW, LARGE_WINDOW = 200_000, 1_000_000
"""Context windows as the price data state them (a test compares); one that needs a beta is not relied on."""

FAMILIES = (
    ("claude-3-7-sonnet", Family(64_000, WINDOW)),
    ("claude-3-5-*", Family(8_192, WINDOW)),
    ("claude-3-*", Family(4_096, WINDOW)),
    ("claude-opus-4", Family(32_000, WINDOW)),
    ("claude-opus-4-[01]", Family(32_000, WINDOW)),
    ("claude-opus-4-5", Family(64_000, WINDOW, effort=True)),
    ("claude-opus-4-*", Family(128_000, LARGE_WINDOW, adaptive=True, effort=True)),
    ("claude-sonnet-4-[6-9]", Family(64_000, LARGE_WINDOW, adaptive=True, effort=True)),
    ("claude-sonnet-4*", Family(64_000, WINDOW)),
    ("claude-haiku-4*", Family(64_000, WINDOW)),
)
"""Output limits are those of Anthropic's models overview, which no data that we have repeats: one that is too small
costs output, one too large an error of the provider. That older families get no `system` messages is what Claude Code
itself does."""


def family_limits(model: str) -> Family | None:
    """The row of a model; None for one that takes everything."""
    name = family_of(model)
    return next((row for glob, row in FAMILIES if fnmatchcase(name, glob)), None)
