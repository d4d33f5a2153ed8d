"""The corpus, and mutations of it that are the same in every run, through every target: no finding comes back."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.fuzz.mutate import mutated
from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
MUTATIONS = {"config": 4_000}
MUTATIONS_OTHERS = 16_000
"""So that all targets together take some twenty seconds."""


def corpus(name: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]


@pytest.mark.promise("P-25", bound="no finding over the corpus and its mutations; make fuzz goes on from there")
@pytest.mark.parametrize("name", TARGETS)
def test_no_parser_breaks_a_law(name: str) -> None:
    seeds = corpus(name)
    assert len(seeds) >= 3
    for data in seeds:
        TARGETS[name](data)
    style = random.Random(name)
    for _ in range(MUTATIONS.get(name, MUTATIONS_OTHERS)):
        data = mutated(style.choice(seeds), style.choice(seeds), style)
        try:
            TARGETS[name](data)
        except Exception as error:
            raise AssertionError(f"{name}: {data!r}") from error
