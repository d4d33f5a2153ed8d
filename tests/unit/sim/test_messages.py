"""The simulated provider speaks Anthropic's Messages: events, bodies, usage, headers, refusals."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fastgate.sim.conversation import signature
from fastgate.sim.server import Settings, Simulator
from fastgate.sim.usage import Usage, tokens_of
from tests.support.raw import Reply, exchange, post

TOOLS = [{"name": name, "description": "", "input_schema": {"type": "object"}} for name in ("Read", "Edit", "Bash")]


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    simulator = Simulator()
    await simulator.start()
    yield simulator
    await simulator.close()


def request(text: str | list[dict[str, Any]] = "hello", **changes: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {"model": "claude-sonnet-5-5", "max_tokens": 64, "messages": messages} | changes


async def ask(sim: Simulator, body: dict[str, Any] | bytes, **headers: str) -> Reply:
    return await exchange(sim.port, post(body, **headers))


async def test_whole_message(sim: Simulator) -> None:
    body = post(request(text="hello"))
    reply = await exchange(sim.port, body)
    message = reply.json()
    assert reply.status == 200
    assert (message["type"], message["role"], message["model"]) == ("message", "assistant", "claude-sonnet-5-5")
    assert message["stop_reason"] == "end_turn" and message["content"][0]["type"] == "text"
    text_tokens = tokens_of(len(message["content"][0]["text"]))
    size = len(body.partition(b"\r\n\r\n")[2])
    assert (message["usage"]["input_tokens"], message["usage"]["output_tokens"]) == (tokens_of(size), text_tokens)


async def test_stream_says_the_same_as_the_whole_message(sim: Simulator) -> None:
    whole = (await ask(sim, request())).json()
    events = (await ask(sim, request(stream=True))).events()
    kinds = [kind for kind, _ in events if kind != "ping"]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(kinds[2:-3]) == {"content_block_delta"}
    text = "".join(data["delta"]["text"] for kind, data in events if kind == "content_block_delta")
    assert text == whole["content"][0]["text"]
    delta = next(data for kind, data in events if kind == "message_delta")
    assert delta["delta"]["stop_reason"] == "end_turn"
    assert delta["usage"]["output_tokens"] == whole["usage"]["output_tokens"]


async def test_prompt_caching_moves_the_input_between_classes(sim: Simulator) -> None:
    cached = [{"type": "text", "text": "hello", "cache_control": {"type": "ephemeral"}}]
    first = (await ask(sim, request(cached))).json()["usage"]
    assert first["cache_creation_input_tokens"] == first["cache_creation"]["ephemeral_5m_input_tokens"] > 0
    assert first["cache_read_input_tokens"] == 0
    later = request()
    later["messages"] = [
        {"role": "user", "content": cached},
        {"role": "assistant", "content": "hi"},
        {"role": "user", "content": "and now?" * 100},
    ]
    second = (await ask(sim, later)).json()["usage"]
    total = second["input_tokens"] + second["cache_creation_input_tokens"] + second["cache_read_input_tokens"]
    assert total == tokens_of(sim.log.started[-1].body_bytes)
    assert second["cache_read_input_tokens"] > 0
    cached[0]["cache_control"] = {"type": "ephemeral", "ttl": "1h"}
    hour = (await ask(sim, request(cached))).json()["usage"]["cache_creation"]
    assert hour["ephemeral_1h_input_tokens"] > 0 == hour["ephemeral_5m_input_tokens"]


async def test_usage_can_be_dictated(sim: Simulator) -> None:
    text = "[[sim:usage usage=input:10,output:20,cache_read:5,cache_write_5m:6,cache_write_1h:7,web_search:2]]"
    usage = (await ask(sim, request(text))).json()["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["cache_read_input_tokens"]) == (10, 20, 5)
    assert usage["cache_creation"] == {"ephemeral_5m_input_tokens": 6, "ephemeral_1h_input_tokens": 7}
    assert usage["server_tool_use"]["web_search_requests"] == 2
    await sim.log.wait_ended(1)
    assert sim.log.started[0].usage == sim.log.ended[0].told == Usage(
        input_tokens=10, output_tokens=20, cache_read_tokens=5, cache_write_5m_tokens=6, cache_write_1h_tokens=7,
        web_search=2,
    )  # fmt: skip


async def test_compaction_stands_outside_the_sums(sim: Simulator) -> None:
    text = "[[sim:usage usage=input:10,output:20,compaction_input:300,compaction_output:40]]"
    for stream in (False, True):
        reply = await ask(sim, request(text, stream=stream))
        final = reply.json() if not stream else next(data for kind, data in reply.events() if kind == "message_delta")
        iterations = final["usage"]["iterations"]
        assert [(part["type"], part["input_tokens"]) for part in iterations] == [("compaction", 300), ("message", 10)]
        assert final["usage"]["input_tokens"] == 10


async def test_thinking_is_signed_and_the_signature_checked(sim: Simulator) -> None:
    message = (await ask(sim, request("[[sim:thinking]]"))).json()
    thought = message["content"][0]
    assert thought["type"] == "thinking" and thought["signature"] == signature(thought["thinking"])
    history = request()
    history["messages"] = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": message["content"]},
        {"role": "user", "content": "b"},
    ]
    assert (await ask(sim, history)).status == 200
    thought["signature"] = signature("another thought")
    refused = await ask(sim, history)
    assert refused.status == 400 and "signature" in refused.json()["error"]["message"]


async def test_tool_loop_walks_read_edit_bash_end(sim: Simulator) -> None:
    body = request("Please edit /tmp/notes.txt", tools=TOOLS)
    results = ["     1→first line\n     2→second", "edited", "first line (edited by the simulator)"]
    for name, result in zip(["Read", "Edit", "Bash"], results, strict=True):
        message = (await ask(sim, body)).json()
        assert message["stop_reason"] == "tool_use"
        use = message["content"][-1]
        assert use["name"] == name
        if name == "Edit":
            assert use["input"]["old_string"] == "first line"
        answer = [{"type": "tool_result", "tool_use_id": use["id"], "content": result}]
        body["messages"] += [{"role": "assistant", "content": message["content"]}, {"role": "user", "content": answer}]
    last = (await ask(sim, body)).json()
    assert last["stop_reason"] == "end_turn" and results[2] in last["content"][0]["text"]
    assert [line.turn for line in sim.log.started] == [0, 1, 2, 3]


async def test_an_unanswered_tool_call_is_refused(sim: Simulator) -> None:
    body = request("Please edit /tmp/notes.txt", tools=TOOLS)
    message = (await ask(sim, body)).json()
    wrong = [{"type": "tool_result", "tool_use_id": "toolu_other", "content": "x"}]
    body["messages"] += [{"role": "assistant", "content": message["content"]}, {"role": "user", "content": wrong}]
    refused = await ask(sim, body)
    assert refused.status == 400 and "tool_result" in refused.json()["error"]["message"]


async def test_parallel_tools_and_a_sub_agent(sim: Simulator) -> None:
    parallel = (await ask(sim, request("run three things in parallel", tools=TOOLS))).json()
    uses = [block for block in parallel["content"] if block["type"] == "tool_use"]
    assert len(uses) == 3 and len({use["id"] for use in uses}) == 3
    agent = [*TOOLS, {"name": "Agent", "description": "", "input_schema": {"type": "object"}}]
    handed = (await ask(sim, request("ask a sub-agent", tools=agent))).json()["content"][-1]
    assert handed["name"] == "Agent" and handed["input"]["prompt"]
    below = (await ask(sim, request(handed["input"]["prompt"], tools=TOOLS))).json()
    assert below["content"][0]["text"] == "Words from below."


async def test_auto_mode_double_answers_for_every_tool_call(sim: Simulator) -> None:
    body = request("edit /tmp/notes.txt", tools=TOOLS, safeguards=[{"type": "dangerous_tool_use"}])
    message = (await ask(sim, body)).json()
    use = next(block for block in message["content"] if block["type"] == "tool_use")
    verdicts = message["safeguard_results"][0]["status"]["tool_uses"]
    assert verdicts == {use["id"]: {"type": "evaluated", "outcome": "not_flagged"}}
    events = (await ask(sim, body | {"stream": True})).events()
    delta = next(data for kind, data in events if kind == "message_delta")["delta"]
    assert delta["safeguard_results"][0]["type"] == "dangerous_tool_use"
    assert "safeguard_results" not in (await ask(sim, request("edit /tmp/notes.txt", tools=TOOLS))).json()


async def test_provider_headers_are_on_every_answer(sim: Simulator) -> None:
    for body in (request(), request(stream=True), request("[[sim:error status=529]]")):
        headers = (await ask(sim, body)).headers
        assert headers["request-id"].startswith("req_sim")
        assert headers["anthropic-organization-id"]
        assert headers["anthropic-ratelimit-requests-remaining"] and headers["anthropic-ratelimit-unified-status"]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", {}, 400),
        (b'{"model":"m","messages":[{"role":"user","content":"a"}]}', {}, 400),
        (request(messages=[{"role": "tool", "content": "a"}]), {}, 400),
        (request(), {"anthropic_version": ""}, 400),
        (request(), {"x_api_key": ""}, 401),
        (request(), {"x_api_key": "", "authorization": "Bearer key"}, 200),
        (request(), {"x_api_key": "stranger"}, 401),
        (request("[[sim:nonsense]]"), {}, 400),
        (request("[[sim:error status=many]]"), {}, 400),
        (request(), {"path": "/v1/complete"}, 404),
    ],
)
async def test_refusals(body: Any, headers: dict[str, str], status: int) -> None:
    simulator = Simulator(Settings(keys=frozenset({"key"})))
    await simulator.start()
    try:
        reply = await exchange(simulator.port, post(body, **headers))
        assert reply.status == status
        if status >= 400:
            assert reply.json()["type"] == "error" and reply.json()["request_id"] == reply.headers["request-id"]
            await simulator.log.wait_ended(1)
            assert simulator.log.started[0].usage == simulator.log.ended[0].told == Usage()
    finally:
        await simulator.close()


async def test_free_routes(sim: Simulator) -> None:
    counted = await exchange(sim.port, post(request(), path="/v1/messages/count_tokens"))
    assert counted.json() == {"input_tokens": tokens_of(sim.log.started[0].body_bytes)}
    head = b" HTTP/1.1\r\nhost: x\r\nx-api-key: k\r\nanthropic-version: 2023-06-01\r\n\r\n"
    listed = (await exchange(sim.port, b"GET /v1/models?limit=1000" + head)).json()
    one = (await exchange(sim.port, b"GET /v1/models/" + listed["first_id"].encode() + head)).json()
    assert one == listed["data"][0]
    assert (await exchange(sim.port, b"GET /v1/models/gpt" + head)).status == 404
    hello = await exchange(sim.port, b"HEAD /api/hello HTTP/1.1\r\nhost: x\r\n\r\n")
    assert hello.status == 200 and hello.body == b""


async def test_two_calls_on_one_connection_and_two_pipelined(sim: Simulator) -> None:
    twice = post(request("one")) + post(request("two", stream=True))
    closing = b"GET /api/hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    reply = await exchange(sim.port, twice + closing)
    assert reply.status == 200
    await sim.log.wait_ended(3)
    assert [line.connection for line in sim.log.started] == [1, 1, 1]
    digests = [hashlib.sha256(post(request(text, **more)).partition(b"\r\n\r\n")[2]).hexdigest()
               for text, more in (("one", {}), ("two", {"stream": True}))]  # fmt: skip
    assert [line.body_sha256 for line in sim.log.started[:2]] == digests
