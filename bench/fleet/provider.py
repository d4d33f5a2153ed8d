"""The providers' side: prompt caches that are warm for five minutes, prices, and when which endpoint is away."""

from __future__ import annotations

import random
from collections.abc import Sequence

from bench.fleet.trace import HOUR_S, Turn
from fastgate._core.usage import Usage

WARM_S = 300.0
"""A prompt cache's time, counted from its last use."""

OUTSIDE = 8
"""Tokens after the last breakpoint: plain input on each turn."""


class Caches:
    """What is warm where: tokens and until when, by endpoint, model and conversation."""

    def __init__(self) -> None:
        self._warm: dict[tuple[str, str, str], tuple[int, float]] = {}

    def use(self, endpoint: str, model: str, turn: Turn) -> Usage:
        """The usage of a turn that this endpoint answers with this model; its prompt is warm there afterwards."""
        if not turn.caches:
            return Usage.of(input_tokens=turn.prompt, output_tokens=turn.output)
        at = (endpoint, model, turn.conversation)
        tokens, until_s = self._warm.get(at, (0, 0.0))
        read = min(tokens, turn.kept) if until_s > turn.at_s else 0
        plain = min(OUTSIDE, turn.prompt - read)
        written = turn.prompt - read - plain
        self._warm[at] = (turn.prompt - plain, turn.at_s + WARM_S)
        return Usage.of(
            input_tokens=plain, cache_read_tokens=read, cache_write_5m_tokens=written, output_tokens=turn.output
        )


class Outages:
    """When an endpoint answers 529 to everything: a long one a day, and spells of minutes."""

    def __init__(self, endpoints: Sequence[str], hours: float, seed: int) -> None:
        self.spells: dict[str, list[tuple[float, float]]] = {}
        for number, endpoint in enumerate(endpoints):
            draw = random.Random(f"{seed}/{endpoint}")  # a trace, not a secret
            long_s = (0.2 + 0.25 * number) * hours * HOUR_S
            spells = [(long_s, long_s + draw.uniform(900, 1800))]
            for _ in range(int(hours)):
                begin_s = draw.uniform(0, hours * HOUR_S)
                spells.append((begin_s, begin_s + draw.uniform(60, 240)))
            self.spells[endpoint] = sorted(spells)

    def away(self, endpoint: str, at_s: float) -> bool:
        return any(begin_s <= at_s < end_s for begin_s, end_s in self.spells[endpoint])
