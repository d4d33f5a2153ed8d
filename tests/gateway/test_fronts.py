"""Clients that speak Bedrock's or Vertex AI's dialect, served by Anthropic's own API and by a cloud: every pair."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer

from fastgate.sim.behaviour import Behaviour
from tests.support.clouds import bedrock
from tests.support.plane import KEY, OTHER_KEY, Answer, Plane, body, endpoint
from tests.support.sim import Call, SimProcess, running

BEDROCK = "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke"
VERTEX = "/v1/projects/p/locations/us-east5/publishers/anthropic/models/claude-sonnet-4-5@20250929"


class Served:
    def __init__(self, name: str, simulator: SimProcess, plane: Plane) -> None:
        self.name, self.simulator, self.plane = name, simulator, plane
        self.seen = 0

    def ask(self, path: str, sent: dict[str, Any], key: str = KEY, **headers: str) -> Answer:
        return self.plane.request("POST", path, sent, authorization=f"Bearer {key}", **headers)

    def call(self) -> Call:
        (call,) = self.simulator.settled(1, path="*")
        return call


@pytest.fixture(scope="module", params=["anthropic", "bedrock"])
def running_served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    name = request.param
    with running(tmp_path_factory.mktemp(name), "--dialect", name) as simulator:
        made = endpoint(simulator.url) if name == "anthropic" else bedrock(simulator.url, api_key="bearer-token")
        plane = Plane(tmp_path_factory.mktemp("plane"), (made,)).start()
        yield Served(name, simulator, plane)
        plane.stop()


@pytest.fixture
def served(running_served: Served) -> Iterator[Served]:
    running_served.simulator.fresh()
    running_served.seen = running_served.plane.recorded()
    yield running_served
    running_served.plane.wait_idle()


def bedrock_body(text: str = "hello", **more: Any) -> dict[str, Any]:
    sent = body(text, **more)
    del sent["model"], sent["stream"]
    betas = ["interleaved-thinking-2025-05-14", "effort-2025-11-24"]
    return {"anthropic_version": "bedrock-2023-05-31", "anthropic_beta": betas} | sent


def vertex_body(text: str = "hello", stream: bool = False, **more: Any) -> dict[str, Any]:
    sent = body(text, **more)
    del sent["model"], sent["stream"]
    return {"anthropic_version": "vertex-2023-10-16"} | sent | ({"stream": True} if stream else {})


def events_of(answer: Answer) -> list[dict[str, Any]]:
    """The events of a Bedrock stream, as AWS's own library reads the frames."""
    assert answer.headers["content-type"] == "application/vnd.amazon.eventstream"
    buffer = EventStreamBuffer()
    buffer.add_data(answer.body)
    said = []
    for message in buffer:
        if message.headers[":message-type"] == "exception":
            said.append({"type": message.headers[":exception-type"], **json.loads(message.payload)})
        else:
            said.append(json.loads(base64.b64decode(json.loads(message.payload)["bytes"])))
    return said


def test_bedrock_whole(served: Served) -> None:
    beta = "claude-code-20250219,effort-2025-11-24"
    answer = served.ask(BEDROCK, bedrock_body(), anthropic_beta=beta, accept="application/json")
    assert answer.status == 200, answer.body
    assert answer.json()["content"][0]["type"] == "text"
    assert float(answer.headers["x-fastgate-cost"]) > 0
    record = served.plane.settled(served.seen + 1)[-1]
    assert (record.model_asked, record.outcome) == ("claude-sonnet-4-5-20250929", "ok")
    sent = json.loads(served.simulator.body(served.call()))
    betas = ["claude-code-20250219", "effort-2025-11-24", "interleaved-thinking-2025-05-14"]
    if served.name == "anthropic":
        assert sent["model"] == "claude-sonnet-4-5-20250929" and "anthropic_beta" not in sent
        assert served.call().header("anthropic-beta") == ",".join(betas)
        assert served.call().header("anthropic-version") == "2023-06-01"
    else:
        assert served.call().started.path == BEDROCK
        assert (sent["anthropic_version"], sent["anthropic_beta"]) == ("bedrock-2023-05-31", betas)


def test_bedrock_stream(served: Served) -> None:
    answer = served.ask(f"{BEDROCK}-with-response-stream", bedrock_body("hello [[sim:text tokens=200]]"))
    assert answer.status == 200, answer.body
    kinds = [event["type"] for event in events_of(answer)]
    assert (kinds[0], kinds[-1]) == ("message_start", "message_stop")
    assert kinds.count("content_block_delta") > 10
    record = served.plane.settled(served.seen + 1)[-1]
    assert (record.outcome, record.usage_state, record.stream) == ("ok", "exact", True)
    assert record.usage.output_tokens == 200 == served.call().started.usage.output_tokens


def test_a_late_error_is_an_exception_of_the_stream(served: Served) -> None:
    served.simulator.script(Behaviour(error_at=6, error_type="overloaded_error", message="later", gap_ms=5))
    answer = served.ask(f"{BEDROCK}-with-response-stream", bedrock_body())
    assert events_of(answer)[-1] == {"type": "serviceUnavailableException", "message": "later"}


@pytest.mark.parametrize("stream", [False, True])
def test_vertex(served: Served, stream: bool) -> None:
    path = f"{VERTEX}:{'streamRawPredict' if stream else 'rawPredict'}"
    for prefix in ("", "/v1"):
        answer = served.ask(prefix + path.removeprefix("/v1"), vertex_body(stream=stream))
        assert answer.status == 200, answer.body
    if stream:
        assert answer.body.startswith(b"event: message_start") and b"\n: fastgate {" in answer.body
    else:
        assert answer.json()["type"] == "message"
    records = served.plane.settled(served.seen + 2)[-2:]
    assert {record.model_asked for record in records} == {"claude-sonnet-4-5-20250929"}
    assert all(record.cost_nano > 0 for record in records)


def test_vertex_counts_tokens(served: Served) -> None:
    path = f"{VERTEX.rpartition('/')[0]}/count-tokens:rawPredict"
    answer = served.ask(path, {**vertex_body(), "model": "claude-sonnet-4-5@20250929"})
    assert answer.status == 200, answer.body
    assert answer.json()["input_tokens"] > 0


def test_bedrock_counts_tokens(served: Served) -> None:
    inner = base64.b64encode(json.dumps(bedrock_body()).encode()).decode()
    answer = served.ask(BEDROCK.replace("/invoke", "/count-tokens"), {"input": {"invokeModel": {"body": inner}}})
    assert answer.status == 200, answer.body
    assert answer.json()["inputTokens"] > 0


@pytest.mark.parametrize(("status", "aws", "google"), [
    (400, "ValidationException", "INVALID_ARGUMENT"), (429, "ThrottlingException", "RESOURCE_EXHAUSTED"),
    (503, "ServiceUnavailableException", "UNAVAILABLE"),
])  # fmt: skip
def test_errors_have_the_dialects_envelope(served: Served, status: int, aws: str, google: str) -> None:
    served.simulator.script(Behaviour(status=status, message="prompt is too long", retry_after="3"), n=20)
    answer = served.ask(f"{BEDROCK}-with-response-stream", bedrock_body())
    assert (answer.status, answer.json()) == (status, {"message": "prompt is too long"})
    assert (answer.headers["x-amzn-errortype"], answer.headers["retry-after"]) == (aws, "3")
    answer = served.ask(f"{VERTEX}:rawPredict", vertex_body())
    assert answer.status == status
    assert answer.json() == {"error": {"code": status, "message": "prompt is too long", "status": google}}


def test_the_gateways_own_refusals_too(served: Served) -> None:
    answer = served.ask(BEDROCK, bedrock_body(), key="sk-nobody-0123456789abcdef0123456789")
    assert (answer.status, answer.headers["x-should-retry"]) == (401, "false")
    assert "does not accept the key" in answer.json()["message"]
    answer = served.ask(BEDROCK, bedrock_body(), key=OTHER_KEY)
    assert answer.status == 400 and "is not allowed for this key" in answer.json()["message"]
    answer = served.ask(f"{VERTEX}:rawPredict", vertex_body(), key=OTHER_KEY)
    assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"
    assert served.simulator.calls("*") == []


@pytest.mark.parametrize("sent", [
    {"anthropic_beta": "not-a-list"}, {"anthropic_beta": ["a\r\nx: y"]}, {"anthropic_version": "a b"},
])  # fmt: skip
def test_what_would_end_up_in_a_header_is_judged(served: Served, sent: dict[str, Any]) -> None:
    assert served.ask(BEDROCK, bedrock_body() | sent).status == 400
    assert served.simulator.calls("*") == []


def test_other_paths_stay_closed(served: Served) -> None:
    for path in ("/model/x/converse", "/model//invoke", f"{VERTEX}:predict", "/v1/projects/p/rawPredict"):
        assert served.ask(path, bedrock_body()).status == 404


def test_models_are_listed_in_both_dialects(served: Served) -> None:
    """Whatever the endpoint's kind, and as Claude Code asks (`?limit=1000`, either form of the key)."""
    rows = served.plane.request("GET", "/v1/models?limit=1000", authorization=f"Bearer {KEY}").json()["data"]
    ids = {row["id"] for row in rows}
    assert {"claude-opus-5-5", "claude-haiku-4-5"} <= ids
    assert all("claude" in name and "anthropic." not in name for name in ids)
    path = "/inference-profiles?type=SYSTEM_DEFINED"
    told = served.plane.request("GET", path, x_api_key=KEY).json()["inferenceProfileSummaries"]
    assert {row["inferenceProfileId"] for row in told} == {f"us.anthropic.{name}" for name in ids}
    assert served.plane.request("GET", path).status == 401
