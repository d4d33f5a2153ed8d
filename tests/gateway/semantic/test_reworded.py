"""Reworded questions on the running data plane: what hits, what is refused. The upstream's log is the oracle."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fastgate.caching.semantic.settings import SemanticEmbedder, SemanticStore
from fastgate.refs import Secret
from tests.support.caching import OTHER_KEY, THIRD_KEY, cache_of, without_closing
from tests.support.plane import CACHE, KEY, Answer, Plane, endpoint
from tests.support.semantic import CACHE_ON, SemanticRule, cache_with
from tests.support.sim import SimProcess
from tests.support.vectors import DIM, Embeddings, PineconeStub, QdrantStub, serving

ASKED = "Explain how the function parse_header in src/http/head.py treats a header without a value."
REWORDED = "Please describe how the method parse_header in src/http/head.py treats a header without a value?"


def kinds(*answers: Answer) -> list[str]:
    return [cache_of(answer) for answer in answers]


def in_force(plane: Plane, **changes: Any) -> None:
    plane.cache = cache_with(**changes)
    plane.publish()
    plane.wait_adopted()
    time.sleep(0.1)


def test_a_rewording_costs_nothing(plane: Plane, simulator: SimProcess) -> None:
    before = plane.recorded()
    first, again = plane.message(ASKED), plane.message(REWORDED)
    assert kinds(first, again) == ["miss", "hit-semantic"]
    assert first.body == again.body
    assert len(simulator.settled(1)) == 1
    paid, given = plane.settled(before + 2)[before:]
    assert paid.cost_nano > 0
    assert (given.cache, given.cost_nano, given.saved_nano) == ("hit-semantic", 0, paid.cost_nano)
    assert again.headers["x-fastgate-cost"] == "0.000000000"
    assert again.headers["x-fastgate-saved"] == first.headers["x-fastgate-cost"]
    assert again.headers["x-agentcc-cache"] == "hit"


def test_a_stream_is_given_to_a_rewording(plane: Plane) -> None:
    first = plane.message("Summarise the text: the cat sat.", stream=True)
    again = plane.message("Please summarise the text: the cat sat.", stream=True)
    whole = plane.message("Please could you summarise the text: the cat sat.")
    assert kinds(first, again, whole) == ["miss", "hit-semantic", "hit-semantic"]
    assert without_closing(first.body) == without_closing(again.body)
    assert whole.json()["type"] == "message"


@pytest.mark.parametrize(
    ("asked", "near_miss"),
    [
        ("Raise the limit from 10 to 20.", "Raise the limit from 20 to 10."),
        ("Delete the file src/a.py.", "Delete the file src/b.py."),
        ("Enable the cache for the team.", "Disable the cache for the team."),
        ("Push the branch when the tests pass.", "Do not push the branch when the tests pass."),
        ("Rename foo to bar everywhere.", "Rename bar to foo everywhere."),
        ("What does `readFile` return?", "What does `readFiles` return?"),
        ("How do I deploy the service to staging?", "How do I deploy the service to production?"),
    ],
)
def test_a_near_miss_is_asked(plane: Plane, simulator: SimProcess, asked: str, near_miss: str) -> None:
    assert kinds(plane.message(asked), plane.message(near_miss)) == ["miss", "miss"]
    assert len(simulator.settled(2)) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"system": "Another system prompt."},
        {"max_tokens": 1000},
        {"model": "claude-haiku-4-5"},
        {"tools": [{"name": "Read", "input_schema": {"type": "object"}}]},
        {"headers": {"anthropic_beta": "context-1m-2025-08-07"}},
        {"headers": {"x_fastgate_cache_namespace": "other"}},
    ],
)
def test_everything_else_must_be_equal(plane: Plane, changes: dict[str, Any]) -> None:
    text = f"Tell me what else must be equal, {sorted(changes)}."
    plane.message(text)
    assert cache_of(plane.message("Please " + text, **changes)) == "miss"
    assert cache_of(plane.message("Please " + text)) == "hit-semantic"


def test_tenants_never_meet(plane: Plane) -> None:
    text = "List the rivers of the country, one a line."
    assert kinds(
        plane.message(text),
        plane.message("Please " + text, key=OTHER_KEY),
        plane.message("Please " + text, key=THIRD_KEY),
    ) == ["miss", "hit-semantic", "miss"]


def tool_turn(text: str, result: str) -> list[dict[str, Any]]:
    """A question, the call of a tool that came of it, and its result."""
    use = {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"file_path": "package.json"}}
    told = {"type": "tool_result", "tool_use_id": "toolu_1", "content": result}
    return [
        {"role": "user", "content": text},
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [told]},
    ]


def test_package_json_reworded_in_a_session(plane: Plane, simulator: SimProcess) -> None:
    """Where a rule says so, a question whose tool results are equal is answered; where they differ, it is asked."""
    tools = [{"name": "Read", "input_schema": {"type": "object"}}]
    session = {"x_claude_code_session_id": "6d2f1c52-0000-4000-8000-0f1a5e1ca5ed"}

    def ask(text: str, result: str, **headers: str) -> str:
        return cache_of(plane.message(messages=tool_turn(text, result), tools=tools, headers=session | headers))

    asked, reworded = "Read package.json and tell me the version.", "Please read package.json and tell me its version"
    assert ask(asked, "1.0.0") == "miss"
    assert ask(reworded, "1.0.0") == "miss", "calls with tool results are none of the semantic cache's by default"
    in_force(plane, namespace="session", rules=(SemanticRule(tool_results=True),))
    simulator.fresh()
    assert ask(asked, "1.0.1") == "miss"
    assert [ask(text, "1.0.1") for text in (reworded, asked, reworded)] == ["hit-semantic", "hit", "hit-semantic"]
    assert len(simulator.settled(1)) == 1
    assert ask(reworded, "1.0.2") == "miss", "another result"
    other = {"x_claude_code_session_id": "another-session"}
    assert ask(reworded, "1.0.1", **other) == "miss", "another session"


def test_more_turns_where_a_rule_allows_them(plane: Plane) -> None:
    def ask(text: str, before: str = "Hello") -> str:
        talk = [
            {"role": "user", "content": before},
            {"role": "assistant", "content": "Hi"},
            {"role": "user", "content": text},
        ]
        return cache_of(plane.message(messages=talk))

    assert (ask("What is a monad?"), ask("Please, what is a monad?")) == ("miss", "miss")
    in_force(plane, rules=(SemanticRule(user_turns=4),))
    assert (ask("What is a functor?"), ask("Please, what is a functor?")) == ("miss", "hit-semantic")
    assert ask("Please, what is a functor?", before="Hello again") == "miss"


def test_namespaces_that_ask_for_it(plane: Plane) -> None:
    in_force(plane, mode="off", rules=(SemanticRule(namespaces=("titles-*",), mode="on"),))
    named = {"x_fastgate_cache_namespace": "titles-ui"}
    text = "Write a title for: fix of the login page."
    assert kinds(
        plane.message(text), plane.message("Please " + text[0].lower() + text[1:]),
        plane.message(text, headers=named), plane.message("Please " + text[0].lower() + text[1:], headers=named),
    ) == ["miss", "miss", "miss", "hit-semantic"]  # fmt: skip


def test_shadow_serves_nothing_and_closes_what_it_proves_wrong(plane: Plane, simulator: SimProcess) -> None:
    in_force(plane, mode="shadow")
    answers = [plane.message(text) for text in ("Name a colour.", "Please name a colour.", "Name a colour, please.")]
    assert kinds(*answers) == ["miss"] * 3
    assert len(simulator.settled(3)) == 3
    assert {cache_of(plane.message("Name a colour."))} == {"hit"}, "the exact cache goes on"


def test_overrides_hold(plane: Plane, simulator: SimProcess) -> None:
    text, reworded = "Define the word entropy.", "Please define the word entropy."
    no_store = {"x_fastgate_cache": "no-store"}
    assert cache_of(plane.message(text, headers=no_store)) == "miss"
    assert cache_of(plane.message(reworded, headers=no_store)) == "miss", "nothing was kept"
    assert cache_of(plane.message(text)) == "miss"
    assert cache_of(plane.message(reworded, headers=no_store)) == "hit-semantic"
    assert cache_of(plane.message(reworded, headers={"x_fastgate_cache": "bypass"})) == "bypass"
    assert cache_of(plane.message(reworded, headers={"x_fastgate_cache_force_refresh": "true"})) == "refresh"
    assert cache_of(plane.message(reworded)) == "hit", "the refreshed answer is this wording's own"
    time.sleep(1.1)
    another = "Could you define the word entropy?"
    assert cache_of(plane.message(another, headers={"x_fastgate_cache_ttl": "1s"})) == "miss", "both are older"


def test_answers_survive_a_restart_and_workers_share_them(simulator: SimProcess, tmp_path: Path) -> None:
    plane = Plane(tmp_path, (endpoint(simulator.url),), workers=2, cache=CACHE_ON).start()
    try:
        plane.message("What is the tallest mountain of Japan?")
        time.sleep(1.0)
        again = {cache_of(plane.message("Please, what is the tallest mountain of Japan?")) for _ in range(20)}
        assert again == {"hit-semantic"}
    finally:
        plane.stop()
    plane = Plane(tmp_path, (endpoint(simulator.url),), cache=CACHE_ON).start()
    try:
        assert cache_of(plane.message("So what is the tallest mountain of Japan?")) == "hit-semantic"
    finally:
        plane.stop()


def test_off_is_off(plane: Plane) -> None:
    plane.cache = CACHE
    plane.publish()
    plane.wait_adopted()
    text = "Describe the colour of the sky."
    assert kinds(plane.message(text), plane.message("Please describe the colour of the sky.")) == ["miss", "miss"]
    assert msgspec.structs.asdict(CACHE)["semantic"] is None
    assert KEY


@pytest.mark.parametrize(("embedder", "store"), [("openai", "qdrant"), ("voyage", "pinecone"), ("openai", "local")])
def test_services_embed_and_find(plane: Plane, simulator: SimProcess, embedder: str, store: str) -> None:
    """What a service does not answer in time is a miss, and the call goes on."""
    words, points = Embeddings(embedder), QdrantStub() if store == "qdrant" else PineconeStub()
    with serving(words) as embedding_url, serving(points) as store_url:
        in_force(
            plane,
            embedder=SemanticEmbedder(
                kind=embedder, base_url=embedding_url + "/v1", api_key=Secret("sk-vectors"), model="words-1",
                dimensions=DIM, timeout_ms=1000,
            ),
            store=SemanticStore()
            if store == "local"
            else SemanticStore(
                kind=store, url=store_url, api_key=Secret("sk-vectors"), collection="asked", timeout_ms=1000
            ),
        )  # fmt: skip
        text = f"Explain the words {embedder} and {store}."
        assert cache_of(plane.message(text)) == "miss"
        time.sleep(0.5)
        assert cache_of(plane.message("Please " + text[0].lower() + text[1:])) == "hit-semantic"
        assert cache_of(plane.message("Please do not " + text[0].lower() + text[1:])) == "miss"
        assert cache_of(plane.message("Please " + text[0].lower() + text[1:], key=THIRD_KEY)) == "miss", "another team"
        words.pause_s = 3.0
        begun = time.monotonic()
        late = plane.message("So please " + text[0].lower() + text[1:])
        assert (late.status, cache_of(late)) == (200, "miss")
        assert time.monotonic() - begun < 2.9
