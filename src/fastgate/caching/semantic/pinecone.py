"""Pinecone over its data plane API (vectors/upsert, query, vectors/delete): one index, a namespace of it for each
tenant's namespace. The index is made beforehand, with cosine and the embedder's dimensions. Verified against a stub
server that checks what it is sent, not against Pinecone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastgate.caching.semantic.service import Service, secret_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fastgate.caching.semantic.remote import Payload
    from fastgate.snapshot_cache import VectorService

API_VERSION = "2025-04"


class Pinecone:
    """One index, by the address of its host."""

    def __init__(self, row: VectorService) -> None:
        headers = {"api-key": secret_of(row), "x-pinecone-api-version": API_VERSION}
        self.service = Service(row, row.url, headers)

    async def near(self, shelf: str, place: str, vector: list[float], count: int) -> list[Payload]:
        asked = {
            "namespace": shelf, "vector": vector, "topK": count, "filter": {"place": {"$eq": place}},
            "includeMetadata": True, "includeValues": False,
        }  # fmt: skip
        told = await self.service.ask("/query", asked)
        try:
            return [match["metadata"] for match in told["matches"]]
        except (TypeError, KeyError):
            return []

    async def put(self, point: str, shelf: str, vector: list[float], payload: Payload) -> None:
        vectors = [{"id": point, "values": vector, "metadata": payload}]
        await self.service.ask("/vectors/upsert", {"namespace": shelf, "vectors": vectors})

    async def drop(self, point: str, shelf: str) -> None:
        await self.service.ask("/vectors/delete", {"namespace": shelf, "ids": [point]})

    async def forget(self, shelves: Iterable[str], fields: dict[str, str], before_ns: int) -> None:
        """In the namespaces that this worker has written to; those of others are cleared by their own."""
        wanted: dict[str, Any] = {name: {"$eq": value} for name, value in fields.items()}
        wanted["started_s"] = {"$lt": -(-before_ns // 1_000_000_000)}
        for shelf in shelves:
            await self.service.ask("/vectors/delete", {"namespace": shelf, "filter": wanted})

    def close(self) -> None:
        self.service.close()
