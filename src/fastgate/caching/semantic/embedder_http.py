"""Embedders behind HTTP: OpenAI's API, which many servers speak, and Voyage AI's. Verified against stub servers only.

OpenAI: POST /embeddings {model, input, encoding_format, dimensions?} (API reference, Embeddings).
Voyage: POST /embeddings {model, input, output_dimension?, truncation} (API reference, Text embeddings).
Both answer {data: [{embedding: [...], index: 0}], ...}.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastgate.caching.semantic.embedder import Vector, unit
from fastgate.caching.semantic.service import Service, secret_of

if TYPE_CHECKING:
    from fastgate.snapshot_cache import VectorService

URLS = {"openai": "https://api.openai.com/v1", "voyage": "https://api.voyageai.com/v1"}


def identity_of(row: VectorService) -> str:
    return f"{row.kind}:{row.url}:{row.model}:{row.dimensions}"


class HttpEmbedder:
    """One model of one service. A vector of another length than was configured is none."""

    def __init__(self, row: VectorService) -> None:
        self.dim = row.dimensions
        self.identity = identity_of(row)
        self._row = row
        secret = secret_of(row)
        headers = {"authorization": f"Bearer {secret}"} if secret else {}
        self.service = Service(row, row.url or URLS[row.kind], headers)

    async def embed(self, text: str) -> Vector | None:
        told = await self.service.ask("/embeddings", self._asked(text))
        try:
            found = np.asarray(told["data"][0]["embedding"], np.float32)
        except (TypeError, KeyError, IndexError, ValueError):
            return None
        return unit(found) if found.shape == (self.dim,) else None

    def _asked(self, text: str) -> dict[str, Any]:
        if self._row.kind == "voyage":
            return {"model": self._row.model, "input": [text], "output_dimension": self.dim, "truncation": False}
        return {"model": self._row.model, "input": [text], "dimensions": self.dim, "encoding_format": "float"}

    def close(self) -> None:
        self.service.close()
