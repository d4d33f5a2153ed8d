"""Embedders and stores behind HTTP, against stubs that check what they are sent; and what happens when they fail."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastgate.caching.purge import Purge
from fastgate.caching.semantic.embedder import unit
from fastgate.caching.semantic.embedder_http import HttpEmbedder
from fastgate.caching.semantic.local import LocalStore
from fastgate.caching.semantic.log_disk import DiskLog
from fastgate.caching.semantic.note import Note
from fastgate.caching.semantic.notes import Notes
from fastgate.caching.semantic.pinecone import Pinecone
from fastgate.caching.semantic.qdrant import Qdrant
from fastgate.caching.semantic.reading import read
from fastgate.caching.semantic.remote import RemoteStore
from fastgate.caching.semantic.spoken import Spoken
from fastgate.guards.adapters.breaker import FAILURES
from fastgate.snapshot_cache import SemanticRule, VectorService
from tests.support.vectors import DIM, Embeddings, PineconeStub, Points, QdrantStub, embedding, serving

HOUR_NS = 3600 * 1_000_000_000
RULE = SemanticRule("on", tool_results=False, user_turns=1, threshold=0.5)


def row(kind: str, url: str, **changes: Any) -> VectorService:
    fields = {"url": url, "api_key": "sk-vectors", "model": "words-1", "dimensions": DIM, "index": "asked"}
    return VectorService(kind, **fields | {"timeout_s": 2.0} | changes)


@pytest.mark.parametrize("kind", ["openai", "voyage"])
async def test_an_embedder_asks_as_documented_and_a_failure_is_no_vector(kind: str) -> None:
    stub = Embeddings(kind)
    with serving(stub) as url:
        made = HttpEmbedder(row(kind, url + "/v1", timeout_s=0.3))
        found = await made.embed("the quick brown fox")
        assert found == pytest.approx(unit(np.asarray(embedding("the quick brown fox"), np.float32)), abs=1e-6)
        for broken in (
            b"{}",
            b"[]",
            b"no JSON",
            b'{"data": [{"embedding": [1, 2]}]}',
            b'{"data": [{"embedding": "x"}]}',
        ):
            stub.broken = broken
            assert await made.embed("text") is None
        stub.broken, stub.pause_s = None, 1.0
        begun = time.monotonic()
        assert await made.embed("text") is None
        assert time.monotonic() - begun < 0.95
        stub.pause_s, stub.status = 0.0, 500
        for _ in range(FAILURES):
            assert await made.embed("text") is None
        count = len(stub.asked)
        assert await made.embed("text") is None
        assert len(stub.asked) == count, "a service that fails again and again is left alone"
        made.close()


async def test_an_embedder_that_is_not_there_is_no_error() -> None:
    made = HttpEmbedder(row("openai", "http://127.0.0.1:9/v1"))
    assert await made.embed("text") is None
    made.close()


def note(text: str, org: str = "acme", partition: bytes = b"p" * 32, **changes: Any) -> Note:
    now_ns = time.time_ns()
    at = unit(np.asarray(embedding(text), np.float32))
    assert at is not None
    fields: dict[str, Any] = {
        "scope": ("org", org), "namespace": "", "partition": partition, "text": text, "embedder": "words",
        "vector": at.astype(np.float16).tobytes(), "find": b"f" * 16, "proof": b"q" * 32, "org": org, "team": "t",
        "user": "", "key": "k", "model": "m", "started_ns": now_ns, "expires_ns": now_ns + HOUR_NS,
    }  # fmt: skip
    return Note(**fields | changes)


def spoken(text: str, org: str = "acme", partition: bytes = b"p" * 32) -> Spoken:
    made = Spoken(("org", org), "", partition, text, RULE)
    made.vector = unit(np.asarray(embedding(text), np.float32))
    return made


@pytest.fixture(params=["qdrant", "pinecone"])
def service(request: pytest.FixtureRequest) -> Iterator[tuple[Points, Any]]:
    stub = QdrantStub() if request.param == "qdrant" else PineconeStub()
    with serving(stub) as url:
        made = Qdrant(row("qdrant", url), DIM) if request.param == "qdrant" else Pinecone(row("pinecone", url))
        yield stub, made


async def until(condition: Any) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_a_store_keeps_finds_and_forgets(service: tuple[Points, Any], tmp_path: Path) -> None:
    stub, vectors = service
    local = LocalStore(Notes("words", DIM, 100, 0.005), DiskLog(tmp_path / "log", 100, DIM), asyncio.get_running_loop())
    store = RemoteStore(vectors, "words", local)
    kept = [
        note("explain the file a.py"), note("delete the file a.py"), note("explain the file b.py"),
        note("explain the file a.py", org="evil"), note("explain the file a.py", partition=b"z" * 32),
    ]  # fmt: skip
    for each in kept:
        at = unit(np.asarray(embedding(each.text), np.float32))
        store.put(each, read(each.text), at)
    await until(lambda: len(stub.points) == len(kept))
    found = await store.near(spoken("please explain the file a.py"))
    assert {candidate.note.text for candidate in found} == {kept[0].text, kept[1].text}, (
        "of this tenant and partition, the same names"
    )
    assert found[0].similarity == pytest.approx(float(np.dot(*map(vector_of, (kept[0], spoken_note())))), abs=1e-2)
    assert not await store.near(spoken("explain the file c.py"))
    store.put(note(kept[0].text, find=b"g" * 16), read(kept[0].text), vector_of(kept[0]))
    await asyncio.sleep(0.2)
    assert len(stub.points) == len(kept), "asked again, it is the same point"
    store.drop(kept[0])
    await until(lambda: len(stub.points) == len(kept) - 1)
    store.obey([Purge(before_ns=time.time_ns() + 2_000_000_000, org="acme")])
    await until(lambda: len(stub.points) == 1)
    assert [candidate.note for candidate in await store.near(spoken("explain the file a.py", "evil"))] == [kept[3]]
    store.close()


def vector_of(row: Note) -> Any:
    return np.frombuffer(row.vector, np.float16).astype(np.float32)


def spoken_note() -> Note:
    return note("please explain the file a.py")


async def test_a_store_that_lies_or_fails_answers_nothing(service: tuple[Points, Any], tmp_path: Path) -> None:
    """Whoever owns the store cannot put a note into another partition, nor one that was altered."""
    stub, vectors = service
    local = LocalStore(Notes("words", DIM, 100, 0.005), DiskLog(tmp_path / "log", 100, DIM), asyncio.get_running_loop())
    store = RemoteStore(vectors, "words", local)
    kept = note("explain the file a.py")
    store.put(kept, read(kept.text), vector_of(kept))
    await until(lambda: stub.points)
    (payload,) = (held for _, held in stub.points.values())
    assert await store.near(spoken(kept.text))
    good = payload["note"]
    for bad in ("", "no base64!", good[:-8], "AAAA" + good[4:], None):
        payload["note"] = bad
        assert not await store.near(spoken(kept.text))
    payload["note"] = good
    other = spoken(kept.text, partition=b"other" * 6 + b"pp")
    assert not await store.near(other)
    stub.broken = b"<html>"
    assert await store.near(spoken(kept.text)) == []
    stub.broken, stub.status = None, 503
    assert await store.near(spoken(kept.text)) == []
    store.close()
