"""Qdrant over its REST API (collections, points): one collection, tenants apart by payload, as its guide on
multitenancy has it. Verified against a stub server that checks what it is sent, not against Qdrant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastgate.caching.semantic.service import Service, secret_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fastgate.caching.semantic.remote import Payload
    from fastgate.snapshot_cache import VectorService

EXISTS = 409
"""A collection that is there already; another worker made it."""

KEYWORDS = ("shelf", "place", "org", "team", "user", "key", "namespace", "model")


class Qdrant:
    """One collection, made with the first point that is put."""

    def __init__(self, row: VectorService, dim: int) -> None:
        self._dim = dim
        self._path = f"/collections/{row.index}"
        self._made = False
        secret = secret_of(row)
        self.service = Service(row, row.url, {"api-key": secret} if secret else {})

    async def near(self, shelf: str, place: str, vector: list[float], count: int) -> list[Payload]:
        wanted = {"must": [match("shelf", shelf), match("place", place)]}
        asked = {"query": vector, "filter": wanted, "limit": count, "with_payload": True}
        told = await self.service.ask(self._path + "/points/query", asked)
        try:
            return [point["payload"] for point in told["result"]["points"]]
        except (TypeError, KeyError):
            return []

    async def put(self, point: str, shelf: str, vector: list[float], payload: Payload) -> None:
        if not self._made:
            await self._make()
        points = [{"id": point, "vector": vector, "payload": payload}]
        await self.service.ask(self._path + "/points?wait=true", {"points": points}, "PUT")

    async def drop(self, point: str, shelf: str) -> None:
        await self.service.ask(self._path + "/points/delete", {"points": [point]})

    async def forget(self, shelves: Iterable[str], fields: dict[str, str], before_ns: int) -> None:
        must: list[Any] = [match(name, value) for name, value in fields.items()]
        must.append({"key": "started_s", "range": {"lt": -(-before_ns // 1_000_000_000)}})
        await self.service.ask(self._path + "/points/delete?wait=true", {"filter": {"must": must}})

    async def _make(self) -> None:
        vectors = {"size": self._dim, "distance": "Cosine"}
        self._made = await self.service.ask(self._path, {"vectors": vectors}, "PUT", (EXISTS,)) is not None
        for name in KEYWORDS if self._made else ():
            asked = {"field_name": name, "field_schema": "keyword"}
            await self.service.ask(self._path + "/index", asked, "PUT")

    def close(self) -> None:
        self.service.close()


def match(name: str, value: str) -> dict[str, Any]:
    return {"key": name, "match": {"value": value}}
