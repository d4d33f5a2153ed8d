"""Bedrock and Vertex AI endpoints over real processes: what they get they accept, what they say is read."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from botocore import auth, awsrequest, credentials

from fastgate._core.money import format_usd
from fastgate._core.usage import Usage
from fastgate.prices.book import PriceBook
from fastgate.prices.catalog import compile_prices
from fastgate.prices.settings import PriceSettings
from fastgate.sim.behaviour import Behaviour
from tests.support.clouds import AWS_ACCESS_KEY, AWS_SECRET_KEY, TOKEN, bedrock, vertex
from tests.support.plane import KEY, Answer, Plane, body
from tests.support.sim import Call, SimProcess, running

BOOK = PriceBook(compile_prices(PriceSettings()))
CLAUDE_BETAS = "claude-code-20250219,context-management-2025-06-27,advanced-tool-use-2025-11-20,effort-2025-11-24"


class Cloud:
    """One cloud, its endpoint and a gateway in front of it; counts what comes after `fresh`."""

    def __init__(self, name: str, simulator: SimProcess, plane: Plane) -> None:
        self.name, self.simulator, self.plane = name, simulator, plane
        self.seen = 0

    def fresh(self) -> None:
        self.simulator.fresh()
        self.seen = self.plane.recorded()

    def call(self) -> Call:
        (call,) = self.simulator.settled(1, path="*")
        return call

    def sent(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self.simulator.body(self.call()))
        return said

    def priced(self) -> int:
        usage = self.call().started.usage
        fields = {name: getattr(usage, name) for name in ("input_tokens", "output_tokens", "cache_read_tokens")}
        model = "us.anthropic.claude-sonnet-5-5" if self.name == "bedrock" else "claude-sonnet-5-5"
        return BOOK.row(self.name, model).cost(Usage.of(**fields))


@pytest.fixture(scope="module", params=["bedrock", "vertex"])
def running_cloud(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    name = request.param
    key = AWS_ACCESS_KEY if name == "bedrock" else TOKEN
    aws = {"AWS_ACCESS_KEY_ID": AWS_ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": AWS_SECRET_KEY, "AWS_SESSION_TOKEN": "sess"}
    with running(tmp_path_factory.mktemp(name), "--dialect", name, "--key", key) as simulator:
        with mock.patch.dict(os.environ, aws):
            endpoint = bedrock(simulator.url) if name == "bedrock" else vertex(simulator.url)
            plane = Plane(tmp_path_factory.mktemp("plane"), (endpoint,)).start()
        yield Cloud(name, simulator, plane)
        plane.stop()


@pytest.fixture
def cloud(running_cloud: Cloud) -> Iterator[Cloud]:
    running_cloud.fresh()
    yield running_cloud
    running_cloud.plane.wait_idle()


def ask(cloud: Cloud, text: str = "hello", *, stream: bool = False, **more: Any) -> Answer:
    return cloud.plane.message(text, stream=stream, headers={"anthropic_beta": CLAUDE_BETAS}, **more)


@pytest.mark.promise("P-01", bound="0 nano-dollars off, at Bedrock's and Vertex AI's prices")
@pytest.mark.parametrize("stream", [False, True])
def test_a_call_is_priced_to_the_nano_dollar(cloud: Cloud, stream: bool) -> None:
    answer = ask(cloud, "hello [[sim:usage usage=input:1200,output:345,cache_read:90000]]", stream=stream)
    assert answer.status == 200, answer.body
    record = cloud.plane.settled(cloud.seen + 1)[-1]
    assert record.cost_nano == cloud.priced() > 0
    assert (record.outcome, record.usage_state, record.provider) == ("ok", "exact", cloud.name)
    assert record.model_used == "claude-sonnet-5-5" == answer.headers["x-fastgate-model-used"]
    if stream:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.body.startswith(b"event: message_start\ndata: ")
        assert b"event: message_stop\n" in answer.body
        assert format_usd(record.cost_nano).encode() in answer.body.rpartition(b"\n: fastgate ")[2]
    else:
        assert answer.json()["content"][0]["type"] == "text"
        assert answer.headers["x-fastgate-cost"] == format_usd(record.cost_nano)


def test_what_is_sent_is_the_clouds_own_form(cloud: Cloud) -> None:
    answer = ask(cloud, stream=True, metadata={"user_id": "u"}, future_field={"a": [1]})
    assert answer.status == 200, answer.body
    call, sent = cloud.call(), cloud.sent()
    assert sent["future_field"] == {"a": [1]} and sent["metadata"] == {"user_id": "u"}
    assert "model" not in sent
    kept = ["claude-code-20250219", "tool-search-tool-2025-10-19", "effort-2025-11-24"]
    if cloud.name == "bedrock":
        assert call.started.path == "/model/us.anthropic.claude-sonnet-5-5/invoke-with-response-stream"
        assert (sent["anthropic_version"], sent["anthropic_beta"]) == ("bedrock-2023-05-31", kept)
        assert "stream" not in sent and not call.header("anthropic-beta")
    else:
        assert call.started.path == (
            "/v1/projects/p/locations/us-east5/publishers/anthropic/models/claude-sonnet-5-5:streamRawPredict"
        )
        assert (sent["anthropic_version"], sent["stream"]) == ("vertex-2023-10-16", True)
        assert call.header("anthropic-beta") == ",".join(kept) and not call.header("anthropic-version")
    assert not call.header("x-api-key") and KEY not in str(call.started.headers)


def test_the_signature_is_what_botocore_computes(cloud: Cloud) -> None:
    if cloud.name != "bedrock":
        return
    assert ask(cloud, model="claude-sonnet-4-5").status == 200
    call = cloud.call()
    assert call.started.path == "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke"
    signed = call.header("authorization").partition("SignedHeaders=")[2].partition(",")[0].split(";")
    headers = {name: call.header(name) for name in signed}
    assert "x-amz-security-token" in headers
    request = awsrequest.AWSRequest(
        "POST", f"{cloud.simulator.url}{call.started.path}", data=cloud.simulator.body(call)
    )
    request.headers.add_header("content-type", headers["content-type"])
    signer = auth.SigV4Auth(credentials.Credentials(AWS_ACCESS_KEY, AWS_SECRET_KEY, "sess"), "bedrock", "us-east-1")
    at = dt.datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ")  # noqa: DTZ007
    with mock.patch.object(auth, "get_current_datetime", return_value=at):
        signer.add_auth(request)
    assert request.headers["Authorization"] == call.header("authorization")


def test_a_field_that_it_cannot_take_is_left_out_with_its_beta_and_said(cloud: Cloud) -> None:
    answer = ask(cloud, context_management={"edits": []}, safeguards=[{"type": "dangerous_tool_use"}])
    assert answer.status == 200, answer.body
    assert answer.headers["x-fastgate-routed"] == "left-out;context_management,safeguards"
    assert cloud.plane.settled(cloud.seen + 1)[-1].routed == "left-out;context_management,safeguards"
    assert not {"context_management", "safeguards"} & set(cloud.sent())


def test_what_the_answer_depends_on_is_never_left_out(cloud: Cloud) -> None:
    answer = ask(cloud, inference_geo="eu")
    assert (answer.status, answer.json()["error"]["type"]) == (400, "policy_blocked")
    assert "inference_geo" in answer.json()["error"]["message"]
    assert cloud.simulator.calls("*") == []
    assert cloud.plane.settled(cloud.seen + 1)[-1].attempts[0].error == "unsupported"


def test_deferred_tools_keep_their_field_under_the_clouds_beta(cloud: Cloud) -> None:
    tool = {"name": "t", "description": "d", "input_schema": {"type": "object"}, "defer_loading": True}
    assert ask(cloud, tools=[tool]).status == 200
    assert cloud.sent()["tools"] == [tool]


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_errors_come_back_in_anthropics_form_word_for_word(cloud: Cloud, status: int) -> None:
    message = 'prompt is too long: 212345 tokens > 200000 maximum "é"'
    cloud.simulator.script(Behaviour(status=status, message=message, retry_after="7"), n=9)
    answer = ask(cloud)
    assert answer.status == status
    error = answer.json()
    assert (error["type"], error["error"]["message"]) == ("error", message)
    assert error["error"]["type"] in (
        "invalid_request_error", "not_found_error", "rate_limit_error", "api_error", "overloaded_error"
    )  # fmt: skip
    assert answer.headers["retry-after"] == "7"
    assert cloud.plane.settled(cloud.seen + 1)[-1].cost_nano == 0


def test_a_stream_that_fails_in_the_middle_says_so_in_anthropics_form(cloud: Cloud) -> None:
    fault = Behaviour(error_at=6, error_type="overloaded_error", message="try \\ later")
    cloud.simulator.script(fault)
    answer = ask(cloud, stream=True)
    error = json.loads(answer.body.partition(b"event: error\ndata: ")[2].split(b"\n")[0])
    assert error["error"] == {"type": "overloaded_error", "message": "try \\ later"}
    record = cloud.plane.settled(cloud.seen + 1)[-1]
    assert (record.outcome, record.error) == ("upstream_error", "stream_error")
    assert record.cost_nano > 0


def test_a_damaged_stream_is_cut_and_charged_what_was_seen(cloud: Cloud) -> None:
    cloud.simulator.script(Behaviour(garbage="binary", garbage_at=8, gap_ms=20))
    if cloud.name == "vertex":
        assert ask(cloud, stream=True).status == 200  # lines that are no field: clients pass over them
        return
    with pytest.raises(Exception, match=r".*"):
        ask(cloud, stream=True)
    record = cloud.plane.settled(cloud.seen + 1)[-1]
    assert (record.outcome, record.error, record.usage_state) == ("upstream_error", "bad_response", "partial")
    assert record.cost_nano > 0


def test_tokens_are_counted_for_nothing(cloud: Cloud) -> None:
    answer = cloud.plane.request("POST", "/v1/messages/count_tokens", body("hello"), x_api_key=KEY)
    assert answer.status == 200, answer.body
    assert answer.json()["input_tokens"] > 0
    assert cloud.plane.settled(cloud.seen + 1)[-1].cost_nano == 0


def test_the_clouds_refusal_of_our_credential_is_no_clients_business(cloud: Cloud) -> None:
    cloud.simulator.script(Behaviour(status=403, message="The security token included in the request is expired"))
    answer = ask(cloud)
    assert (answer.status, answer.json()["error"]["type"]) == (502, "api_error")
    assert "security token" not in answer.body.decode()
