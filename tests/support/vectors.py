"""Embedders and vector stores as their documentation describes them: servers that refuse what the real ones would."""

from __future__ import annotations

import contextlib
import json
import math
import re
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

DIM = 64

Json = Any


def embedding(text: str) -> list[float]:
    """A bag of hashed words; the length is not one, as the services may send any."""
    made = [0.0] * DIM
    for word in re.findall(r"\w+", text.lower()):
        made[zlib.crc32(word.encode()) % DIM] += 3.0
    return made


class Stub:
    """A service: `answer` gives (status, body) for (method, path, headers, body). `asked` are all requests."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Json]] = []
        self.pause_s = 0.0
        self.broken: bytes | None = None
        """What is said with status 200 in place of an answer."""
        self.status = 200

    def answer(self, method: str, path: str, headers: dict[str, str], body: Json) -> Json:
        raise NotImplementedError


class Embeddings(Stub):
    """OpenAI's `POST /embeddings`, or Voyage AI's."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def answer(self, method: str, path: str, headers: dict[str, str], body: Json) -> Json:
        assert (method, path) == ("POST", "/v1/embeddings")
        assert headers["authorization"] == "Bearer sk-vectors"
        assert headers["content-type"] == "application/json"
        assert body["model"] == "words-1"
        assert len(body["input"]) == 1
        assert body["input"][0]
        if self.kind == "openai":
            assert set(body) <= {"model", "input", "dimensions", "encoding_format", "user"}
            assert body["encoding_format"] == "float"
            assert body["dimensions"] == DIM
        else:
            assert set(body) <= {"model", "input", "input_type", "truncation", "output_dimension", "output_dtype"}
            assert body["output_dimension"] == DIM
        data = [{"object": "embedding", "index": 0, "embedding": embedding(body["input"][0])}]
        return {"object": "list", "data": data, "model": "words-1", "usage": {"total_tokens": 3}}


class Points(Stub):
    """What both stores have in common: points by their shelf."""

    def __init__(self) -> None:
        super().__init__()
        self.points: dict[str, tuple[list[float], Json]] = {}

    def nearest(self, vector: list[float], keep: Any, count: int) -> list[tuple[float, str, Json]]:
        scored = [(cosine(vector, at), name, held) for name, (at, held) in self.points.items() if keep(name, held)]
        return sorted(scored, key=lambda each: -each[0])[:count]


class QdrantStub(Points):
    """Collections, points and their index; a search or deletion by filters of `match` and `range`."""

    made = False

    def answer(self, method: str, path: str, headers: dict[str, str], body: Json) -> Json:
        assert headers["api-key"] == "sk-vectors"
        path, _, query = path.partition("?")
        assert query in ("", "wait=true")
        if (method, path) == ("PUT", "/collections/asked"):
            assert body == {"vectors": {"size": DIM, "distance": "Cosine"}}
            was, self.made = self.made, True
            return (409, {"status": {"error": "exists"}}) if was else {"result": True}
        assert self.made, "the collection is not there"
        if (method, path) == ("PUT", "/collections/asked/index"):
            assert set(body) == {"field_name", "field_schema"}
            return {"result": {"status": "completed"}}
        if (method, path) == ("PUT", "/collections/asked/points"):
            for point in body["points"]:
                assert set(point) == {"id", "vector", "payload"}
                assert len(point["vector"]) == DIM
                self.points[str(UUID(point["id"]))] = point["vector"], point["payload"]
            return {"result": {"status": "acknowledged"}}
        if (method, path) == ("POST", "/collections/asked/points/query"):
            found = self.nearest(body["query"], lambda _, held: fits(held, body["filter"]["must"]), body["limit"])
            points = [{"id": name, "score": score, "payload": held} for score, name, held in found]
            return {"result": {"points": points if body["with_payload"] else []}}
        assert (method, path) == ("POST", "/collections/asked/points/delete")
        must = body.get("filter", {}).get("must", [])
        gone = body.get("points") or [name for name, (_, held) in self.points.items() if fits(held, must)]
        for name in gone:
            self.points.pop(name, None)
        return {"result": {"status": "acknowledged"}}


def fits(held: Json, must: list[Json]) -> bool:
    for each in must:
        value = held[each["key"]]
        if "match" in each and value != each["match"]["value"]:
            return False
        if "range" in each and not value < each["range"]["lt"]:
            return False
    return True


class PineconeStub(Points):
    """One index: upsert, query and delete within a namespace."""

    def answer(self, method: str, path: str, headers: dict[str, str], body: Json) -> Json:
        assert method == "POST"
        assert headers["api-key"] == "sk-vectors"
        assert re.fullmatch(r"20\d\d-\d\d", headers["x-pinecone-api-version"])
        space = body["namespace"]
        if path == "/vectors/upsert":
            for each in body["vectors"]:
                assert set(each) == {"id", "values", "metadata"}
                assert all(isinstance(value, (str, int, float, bool)) for value in each["metadata"].values())
                assert len(json.dumps(each["metadata"])) <= 40 * 1024, "the largest metadata of one vector"
                self.points[f"{space}/{each['id']}"] = each["values"], each["metadata"]
            return {"upsertedCount": len(body["vectors"])}

        def keep(name: str, held: Json) -> bool:
            return name.startswith(space + "/") and all(
                held[field] == value["$eq"] if "$eq" in value else held[field] < value["$lt"]
                for field, value in (body.get("filter") or {}).items()
            )

        if path == "/query":
            assert set(body) == {"namespace", "vector", "topK", "filter", "includeMetadata", "includeValues"}
            found = self.nearest(body["vector"], keep, body["topK"])
            return {"matches": [{"id": name, "score": score, "metadata": held} for score, name, held in found]}
        assert path == "/vectors/delete"
        names = [f"{space}/{name}" for name in body["ids"]] if "ids" in body else list(self.points)
        for name in names:
            if "ids" in body or keep(name, self.points[name][1]):
                self.points.pop(name, None)
        return {}


def cosine(one: list[float], other: list[float]) -> float:
    size = math.hypot(*one) * math.hypot(*other)
    return sum(a * b for a, b in zip(one, other, strict=True)) / size if size else 0.0


@contextmanager
def serving(stub: Stub) -> Iterator[str]:
    """The stub behind HTTP; its address. What a check refuses is answered with 400, as the service would."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            headers = {name.lower(): value for name, value in self.headers.items()}
            stub.asked.append((self.command, self.path, body))
            time.sleep(stub.pause_s)
            status = stub.status
            try:
                told = stub.answer(self.command, self.path, headers, body)
            except (AssertionError, KeyError) as error:
                status, told = 400, {"error": repr(error)}
            if isinstance(told, tuple):
                status, told = told
            data = stub.broken if stub.broken is not None else json.dumps(told).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(data)))
            with contextlib.suppress(ConnectionError):  # who asked did not wait
                self.end_headers()
                self.wfile.write(data)

        do_PUT = do_POST  # noqa: N815 - the name that http.server looks for

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
