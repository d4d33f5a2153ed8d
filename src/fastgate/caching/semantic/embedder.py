"""The port of embedders, and the one that is always there: the mean of a text's words.

A static embedding costs ten microseconds and no model call, so it runs where the call is. It knows no order of words:
what it finds near is only ever a candidate (agreement.py decides).
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Protocol

import numpy as np

from fastgate.caching.semantic.words import IDENTITY, Words

WORD = re.compile(r"\w+")

Vector = Any
"""A numpy array of float32, one dimension, length 1."""


class Embedder(Protocol):
    """Texts as vectors. `identity` names the model: vectors of different identities are never compared."""

    identity: str
    dim: int

    async def embed(self, text: str) -> Vector | None:
        """The text's vector; None where there is none in time, which is a miss and no error."""

    def close(self) -> None: ...


class StaticEmbedder:
    """The packaged weights (words.py)."""

    identity = IDENTITY

    def __init__(self, words: Words | None = None) -> None:
        self.words = packaged() if words is None else words
        self.dim = self.words.dim

    async def embed(self, text: str) -> Vector | None:
        return self.vector(text)

    def vector(self, text: str) -> Vector | None:
        """The same, now; None for a text without words."""
        found = [self.words.vector(word) for word in WORD.findall(text.lower())]
        return unit(np.add.reduce(found)) if found else None

    def close(self) -> None:
        pass


@cache
def packaged() -> Words:
    """The installed weights, read once in a process."""
    return Words()


def unit(vector: Any) -> Vector | None:
    """The vector with length 1; None for one that has no direction."""
    size = float(np.sqrt(vector @ vector))
    return (vector / size).astype(np.float32) if size > 0 and np.isfinite(size) else None
