"""Settings that change while calls are under way: their calls neither find nor leave anything, and none fails."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from fastgate.caching.semantic.finder import Finder


class Closing:
    """An embedder that takes so long that the settings change meanwhile."""

    identity = "slow"
    finder: Finder

    async def embed(self, _text: str) -> Any:
        self.finder.close()
        return np.ones(4, np.float32)

    def close(self) -> None:
        pass


class Store:
    """A store that must not be asked when it is closed."""

    closed = False

    def close(self) -> None:
        self.closed = True

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} of a closed store")


def closing() -> Finder:
    embedder: Any = Closing()
    made: Any = (SimpleNamespace(), SimpleNamespace(), embedder, SimpleNamespace(words=None), Store())
    embedder.finder = Finder(*made)
    return embedder.finder


def spoken() -> Any:
    return SimpleNamespace(sought=False, text="x", vector=None, threshold=0.0, partition=b"p", would=None)


async def test_a_search_that_outlives_its_settings_finds_nothing() -> None:
    assert await closing().find(spoken(), 0, 0) is None


async def test_an_answer_that_outlives_its_settings_is_not_remembered() -> None:
    await closing().remember(spoken(), None, SimpleNamespace(head=None))  # type: ignore[arg-type]  # is not looked at
