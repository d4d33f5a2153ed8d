"""What operators see of the cache and can make it forget, over the API and the command line, in both stores."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.admin import admin, message, until
from tests.support.gateway import Gateway, serving
from tests.support.redis import redis_server
from tests.support.sim import SimProcess


@pytest.fixture(scope="module", params=["embedded", "redis"])
def gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, upstream: SimProcess
) -> Iterator[Gateway]:
    directory = tmp_path_factory.mktemp("gateway")
    if request.param == "embedded":
        with serving(directory, upstream.url, more="cache: {}\n") as served:
            yield served
        return
    with redis_server(directory / "redis") as server:
        more = f"cache: {{store: '{server.url}'}}\n"
        with serving(directory, upstream.url, workers=2, more=more) as served:
            yield served


def cache_of(gateway: Gateway, text: str, **headers: str) -> str:
    return message(gateway, text, **headers)[1]["x-fastgate-cache"]


def stats(gateway: Gateway) -> Any:
    status, answer = admin(gateway, "GET", "/cache")
    assert status == 200, answer
    return answer


def purge(gateway: Gateway, **what: Any) -> int:
    status, answer = admin(gateway, "POST", "/cache/purge", what)
    assert status == 200, answer
    time.sleep(0.35)
    count: int = answer["entries"]
    return count


def forgotten(gateway: Gateway, *words: str) -> int:
    """How many answers `fastgate cache purge` takes out."""
    done = gateway.cli("cache", "purge", "--json", *words)
    assert done.code == 0, done
    time.sleep(0.35)
    return int(json.loads(done.out)["entries"])


def kept(gateway: Gateway, count: int) -> None:
    until(lambda: stats(gateway)["store"]["entries"] == count, 5, f"{count} entries")


def test_stats_and_purges(gateway: Gateway) -> None:
    first = stats(gateway)
    assert (first["store"]["kind"], first["store"]["entries"]) == ("redis" if "redis" in str(first) else "embedded", 0)
    assert [cache_of(gateway, "one") for _ in range(3)] == ["miss", "hit", "hit"]
    assert cache_of(gateway, "two", x_fastgate_cache_namespace="ci") == "miss"
    assert cache_of(gateway, "two", x_fastgate_cache_namespace="ci") == "hit"
    kept(gateway, 2)
    until(lambda: sum(row["calls"] for row in stats(gateway)["items"]) == 5, 5, "5 calls counted")
    rows = {row["namespace"]: row for row in stats(gateway)["items"]}
    plain, ci = rows[""], rows["ci"]
    assert (plain["org"], plain["team"]) == ("acme", "platform")
    assert (plain["calls"], plain["hit"], plain["miss"], plain["hit_ratio"]) == (3, 2, 1, "0.6666")
    assert (ci["calls"], ci["hit"], ci["miss"], ci["entries"]) == (2, 1, 1, 1)
    assert float(plain["saved"]) > 0
    assert plain["bytes"] > 100

    assert purge(gateway, model="claude-opus-9") == 0
    assert purge(gateway, key="somebody-else") == 0
    assert purge(gateway, before="2001-01-01") == 0
    assert cache_of(gateway, "one") == "hit"
    assert purge(gateway, namespace="ci") == 1
    assert cache_of(gateway, "two", x_fastgate_cache_namespace="ci") == "miss"
    assert cache_of(gateway, "one") == "hit"
    kept(gateway, 2)
    assert purge(gateway, team="platform", key="alice-laptop") == 2
    status, log = admin(gateway, "GET", "/audit?limit=1000")
    assert status == 200
    last = log["items"][-1]
    assert (last["action"], last["kind"], last["id"], last["actor"]) == ("purge", "cache", "answers", "admin")
    assert {**last["after"], "before": ""} == {
        "team": "platform", "key": "alice-laptop", "entries": 2, "before": "",
    }  # fmt: skip
    assert cache_of(gateway, "one") == "miss"
    kept(gateway, 1)


def test_the_command_line(gateway: Gateway) -> None:
    assert cache_of(gateway, "on the command line") == "miss"
    until(lambda: stats(gateway)["store"]["entries"] > 0, 5, "an entry")
    table = gateway.cli("cache", "stats")
    assert table.code == 0
    assert "platform" in table.out
    assert "answers" in table.out
    assert json.loads(gateway.cli("cache", "stats", "--json").out)["store"]["entries"] > 0
    refused = gateway.cli("cache", "purge")
    assert refused.code == 2
    assert "say what to forget" in refused.err
    assert [forgotten(gateway, *words) for words in (("--before", "1h"), ("--model", "claude-opus-*"))] == [0, 0]
    time.sleep(1.0)
    assert forgotten(gateway, "--before", "1s", "--user", "alice") >= 1, "by age"
    assert cache_of(gateway, "on the command line") == "miss"
    kept(gateway, 1)
    assert forgotten(gateway, "--model", "claude-sonnet-4-5", "--org", "acme") == 1, "by model"
    assert cache_of(gateway, "on the command line") == "miss"
    kept(gateway, 1)
    done = gateway.cli("cache", "purge", "--all")
    assert done.code == 0
    assert "forgotten" in done.out
    time.sleep(0.35)
    assert stats(gateway)["store"]["entries"] == 0
    assert cache_of(gateway, "on the command line") == "miss"


def test_without_a_running_gateway(upstream: SimProcess, tmp_path: Path) -> None:
    with serving(tmp_path, upstream.url, more="cache: {}\n") as served:
        assert cache_of(served, "kept over the end") == "miss"
        kept(served, 1)
    done = served.cli("cache", "purge", "--user", "alice", "--json", "-c", "fastgate.yaml")
    assert (done.code, json.loads(done.out)["entries"]) == (0, 1)
    assert json.loads(served.cli("cache", "stats", "--json", "-c", "fastgate.yaml").out)["store"]["entries"] == 0


def test_a_gateway_without_a_cache_says_so(upstream: SimProcess, tmp_path: Path) -> None:
    with serving(tmp_path, upstream.url) as served:
        assert "nothing is cached" in served.cli("cache", "stats").out
        assert served.cli("cache", "purge", "--all").code == 1


SEMANTIC = "cache: {{semantic: {{mode: '{mode}', namespace: team}}{store}}}\n"


@pytest.fixture(params=["embedded", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "embedded":
        yield ""
        return
    with redis_server(tmp_path / "redis") as server:
        yield f", store: '{server.url}'"


SHARED_S = 1.5
"""What one worker remembers another knows within a second."""


def questions(gateway: Gateway) -> int:
    return sum(row["questions"] for row in stats(gateway)["items"])


def test_reworded_questions_are_counted_and_forgotten(upstream: SimProcess, tmp_path: Path, store: str) -> None:
    with serving(tmp_path, upstream.url, more=SEMANTIC.format(mode="on", store=store)) as gateway:
        named = {"x_fastgate_cache_namespace": "titles"}
        assert cache_of(gateway, "Explain the word entropy.") == "miss"
        time.sleep(SHARED_S)
        assert cache_of(gateway, "Please explain the word entropy.") == "hit-semantic"
        assert cache_of(gateway, "Explain the word energy.", **named) == "miss"
        until(lambda: questions(gateway) == 2, 5, "2 questions")
        until(lambda: sum(row["hit_semantic"] for row in stats(gateway)["items"]) == 1, 5, "a hit counted")
        (row,) = (row for row in stats(gateway)["items"] if row["namespace"] == "")
        assert float(row["saved"]) > 0
        assert purge(gateway, namespace="titles") == 1
        assert questions(gateway) == 1
        assert cache_of(gateway, "Please explain the word energy.", **named) == "miss"
        assert cache_of(gateway, "So please explain the word entropy.") == "hit-semantic"
        assert purge(gateway, org="acme") >= 1
        assert questions(gateway) == 0
        assert cache_of(gateway, "Can you explain the word entropy.") == "miss"
        assert cache_of(gateway, "Please explain the word entropy.") == "hit-semantic"
        done = gateway.cli("cache", "stats")
        assert (done.code, "1 questions remembered for rewordings" in done.out) == (0, True), done


def test_shadow_mode_tells_how_often_it_would_have_been_right(upstream: SimProcess, tmp_path: Path, store: str) -> None:
    with serving(tmp_path, upstream.url, more=SEMANTIC.format(mode="shadow", store=store)) as gateway:
        for text in ("Name a colour.", "Please name a colour.", "Name a colour, please."):
            assert cache_of(gateway, text) == "miss"
        until(lambda: sum(row["compared"] for row in stats(gateway)["items"]) >= 2, 5, "2 comparisons")
        assert all(row["agreed"] <= row["compared"] for row in stats(gateway)["items"])
