"""Before the relay, over real processes: whose key, which model, which body, which path; and the answers that need
no upstream."""

from __future__ import annotations

import http.client
import json
import time
from typing import Any

import pytest

from fastgate.gateway.records import STRANGERS_PER_S
from tests.gateway.conftest import World
from tests.support.plane import KEY, OTHER_KEY, body


def test_pepper_and_keys(world: World) -> None:
    """Either valid credential is enough; the bearer wins; refusals have one wording."""
    plane = world.plane
    both = plane.request("POST", "/v1/messages", body(), x_api_key="nonsense", authorization=f"Bearer {KEY}")
    other = plane.request("POST", "/v1/messages", body(), x_api_key=KEY, authorization="Bearer nonsense")
    wins = plane.request(
        "POST", "/v1/messages", body(model="claude-haiku-5-5"), x_api_key=KEY, authorization=f"Bearer {OTHER_KEY}"
    )
    assert (both.status, other.status, wins.status) == (200, 200, 200)
    assert [record.user for record in world.records(3)] == ["alice", "alice", "bob"]
    refused = [
        plane.request("POST", "/v1/messages", body()),
        plane.request("POST", "/v1/messages", body(), x_api_key="sk-fg-" + "a" * 40),
        plane.request("POST", "/v1/messages", body(), authorization="Bearer x"),
        plane.request("POST", "/v1/messages", b"not json", x_api_key="x"),
    ]
    assert {answer.status for answer in refused} == {401}
    assert {answer.headers["x-should-retry"] for answer in refused} == {"false"}
    assert len({answer.json()["error"]["message"] for answer in refused}) == 1


def test_a_model_that_is_not_allowed(world: World) -> None:
    answer = world.plane.message(key=OTHER_KEY)
    record = world.record()
    assert answer.status == 400
    assert answer.json()["error"]["type"] == "policy_blocked"
    assert "claude-haiku-*" in answer.json()["error"]["message"]
    assert answer.headers["x-fastgate-model-used"] == "none" == answer.headers["x-fastgate-provider"]
    assert answer.headers["x-fastgate-cost"] == "0.000000000"
    assert (record.outcome, record.error, record.cost_nano) == ("refused", "model_not_allowed", 0)
    assert world.calls(0) == []


BAD = [
    (b"", "empty"),
    (b"[]", "array"),
    (b'{"model":"claude-x"', "cut"),
    (b'{"model":"a","model":"b","messages":[]}', "twice"),
    (b'{"model":"a","mod\\u0065l":"b","messages":[]}', "escaped twice"),
    (b'{"model":"a\xff","messages":[]}', "utf-8"),
    (b'{"model":5,"messages":[]}', "number"),
    (b'{"model":"a","stream":1}', "stream"),
    (b'{"model":"a","x":' + b"[" * 70 + b"]" * 70 + b"}", "deep"),
]


@pytest.mark.parametrize("bad", [data for data, _ in BAD], ids=[name for _, name in BAD])
def test_malformed_bodies_never_reach_the_upstream(world: World, bad: bytes) -> None:
    answer = world.plane.request("POST", "/v1/messages", bad, x_api_key=KEY)
    assert answer.status == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.json()["request_id"] == answer.headers["request-id"]
    assert world.record().error == "invalid_request"
    assert world.calls(0) == []


def test_bodies_over_the_cap(world: World) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", world.plane.port, timeout=10)
    connection.putrequest("POST", "/v1/messages")
    connection.putheader("x-api-key", KEY)
    connection.putheader("content-length", str(40 << 20))
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 413
    assert json.loads(answer.read())["error"]["type"] == "request_too_large"
    assert answer.getheader("connection") == "close"
    connection.close()


def test_a_chunked_body_is_reframed(world: World) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", world.plane.port, timeout=10)
    data = json.dumps(body()).encode()
    pieces = (data[i : i + 10] for i in range(0, len(data), 10))
    connection.request("POST", "/v1/messages", pieces, {"x-api-key": KEY}, encode_chunked=True)
    assert connection.getresponse().status == 200
    connection.close()
    (call,) = world.calls(1)
    assert world.simulator.body(call) == data
    assert call.header("content-length") == str(len(data))


def test_paths(world: World) -> None:
    plane = world.plane
    alive = [("GET", "/"), ("HEAD", "/api/hello"), ("GET", "/healthz"), ("GET", "/readyz"), ("HEAD", "/v1/api/hello")]
    for method, path in alive:
        assert plane.request(method, path).status == 200, path
    assert plane.request("POST", "/v1/v1/messages", body(), x_api_key=KEY).status == 200
    assert plane.request("GET", "/v1/v1/models", x_api_key=KEY).status == 200
    absent = [("POST", "/v1/complete"), ("GET", "/v1/messages"), ("POST", "/v1/messages/batches"), ("PUT", "/")]
    for method, path in absent:
        answer = plane.request(method, path, x_api_key=KEY)
        assert (answer.status, answer.json()["error"]["type"]) == (404, "not_found_error"), path
        assert answer.json()["request_id"] == answer.headers["request-id"] != "", path
    stranger = plane.request("GET", "/v1/models", x_api_key="sk-nobody")
    assert stranger.status == 401 and stranger.json()["request_id"] == stranger.headers["request-id"]
    assert len(world.calls(1)) == 1


def listing(world: World, query: str) -> dict[str, Any]:
    answer = world.plane.request("GET", f"/v1/models?{query}", x_api_key=KEY)
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()
    return found


def test_models_come_in_pages_both_ways(world: World) -> None:
    everything = [row["id"] for row in listing(world, "")["data"]]
    assert len(everything) > 7
    ahead: list[str] = []
    query = "limit=3"
    while True:
        page = listing(world, query)
        ids = [row["id"] for row in page["data"]]
        assert (page["first_id"], page["last_id"]) == (ids[0], ids[-1])
        ahead += ids
        if not page["has_more"]:
            break
        assert len(ids) == 3
        query = f"limit=3&after_id={page['last_id']}"
    assert ahead == everything
    back: list[str] = []
    query = f"limit=3&before_id={everything[-1]}"
    while True:
        page = listing(world, query)
        back = [row["id"] for row in page["data"]] + back
        if not page["has_more"]:
            break
        query = f"limit=3&before_id={page['first_id']}"
    assert back == everything[:-1]
    assert listing(world, f"after_id={everything[-1]}")["data"] == []
    for wrong in ("limit=0", "limit=1001", "limit=x", "limit=-1", "limit=%C2%B2", "after_id=nobody", "before_id=nobody",
                  f"after_id={everything[0]}&before_id={everything[1]}"):  # fmt: skip
        answer = world.plane.request("GET", f"/v1/models?{wrong}", x_api_key=KEY)
        assert (answer.status, answer.json()["error"]["type"]) == (400, "invalid_request_error"), wrong


def test_models_and_me(world: World) -> None:
    plane = world.plane
    everything = [row["id"] for row in plane.request("GET", "/v1/models?limit=1000", x_api_key=KEY).json()["data"]]
    mine = [row["id"] for row in plane.request("GET", "/v1/models", authorization=f"Bearer {OTHER_KEY}").json()["data"]]
    assert {"claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"} <= set(everything)
    assert mine
    assert all(name.startswith("claude-haiku-") for name in mine)
    one = plane.request("GET", "/v1/models/claude-opus-5-5", x_api_key=KEY).json()
    assert (one["type"], one["display_name"]) == ("model", "Claude Opus 5.5")
    assert plane.request("GET", "/v1/models/claude-opus-5-5", x_api_key=OTHER_KEY).status == 404
    me = plane.request("GET", "/v1/fastgate/me", x_api_key=KEY).json()
    assert (me["key"], me["user"], me["team"], me["org"]) == ("alice-laptop", "alice", "platform", "acme")
    assert me["budgets"] == []
    assert plane.request("GET", "/v1/models").status == 401


def test_session_and_agent_of_claude_code(world: World) -> None:
    user_id = json.dumps({"device_id": "d", "account_uuid": "", "session_id": "from-body"})
    world.plane.message(metadata={"user_id": user_id}, headers={"x_claude_code_agent_id": "a1"})
    world.plane.message(metadata={"user_id": "user_0_account__session_old-form"})
    world.plane.message(metadata={"user_id": user_id}, headers={"x_claude_code_session_id": "from-header"})
    records = world.records(3)
    assert [record.session for record in records] == ["from-body", "old-form", "from-header"]
    assert records[0].agent == "a1"


def test_strangers_cannot_fill_the_journal(world: World) -> None:
    began = time.monotonic()
    for _ in range(100):
        assert world.plane.request("POST", "/v1/messages", body(), x_api_key="nobody").status == 401
    seconds = int(time.monotonic() - began) + 2
    world.plane.wait_idle()
    recorded = len(world.plane.records()) - world.seen_records
    assert 1 <= recorded <= seconds * STRANGERS_PER_S
