"""The request reader on what Claude Code sends, at its limits, and on what two readers could take two ways."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from fastgate._core.request import RequestError, RequestView, read_request

USER_ID = json.dumps({"device_id": "a" * 64, "account_uuid": "", "session_id": "f6332007-4061-42c3-8ede-8c2e7f9210d0"})

# The shape of a turn of Claude Code 2.1: key order, roles, string and block content, fields of betas.
TURN: dict[str, Any] = {
    "model": "claude-opus-5-5",
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "<system-reminder>\n</system-reminder>"},
                                     {"type": "text", "text": "fix it", "cache_control": {"type": "ephemeral"}}]},
        {"role": "system", "content": "cwd: /home/dev\n\u2192 Linux"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "\u2026", "signature": "Eo=="},
            {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"type": "image", "file_path": "/a.png"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": [
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBOR"}}]}]},
        {"role": "user", "content": "and the \"other\" one"},
    ],
    "system": [{"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.330.440;"},
               {"type": "text", "text": "You are.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
    "tools": [
        {"name": "Read", "description": "d", "input_schema": {"type": "object", "properties": {"name": {}}}},
        {"name": "Edit", "input_schema": {"type": "object"}, "defer_loading": True},
    ],
    "metadata": {"user_id": USER_ID},
    "max_tokens": 128000,
    "thinking": {"type": "adaptive", "display": "updates"},
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    "safeguards": [{"type": "dangerous_tool_use", "classifier_context": {"cwd": "/"}}],
    "output_config": {"effort": "medium"},
    "stream": True,
}  # fmt: skip


def written(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def nested(levels: int) -> bytes:
    """A body whose containers nest so deep, itself included."""
    return b'{"model":"m","x":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


def refusal(body: bytes) -> str:
    with pytest.raises(RequestError) as caught:
        read_request(body)
    return str(caught.value)


def test_a_turn_of_claude_code() -> None:
    body = written(TURN)
    view = read_request(body)
    assert (view.model, view.stream, view.max_tokens, view.thinking_budget) == ("claude-opus-5-5", True, 128000, 0)
    assert body[view.model_start : view.model_end] == b'"claude-opus-5-5"'
    assert body[view.system_start : view.system_end] == written(TURN["system"])
    assert view.metadata_user_id == USER_ID
    assert (view.tools, view.tool_count, view.has_server_tools) == (("Read", "Edit"), 2, False)
    assert (view.messages_count, view.user_turns) == (5, 2)
    assert (view.image_count, view.document_count, view.text_bytes) == (1, 0, len(body))
    assert (view.speed, view.anthropic_version) == ("", "")


def test_the_smallest_body_and_what_is_absent() -> None:
    view = read_request(b'\r\n\t {"model":"m"} \n')
    assert view.model == "m" and view.stream is False and view.tools == ()
    assert (view.max_tokens, view.system_start, view.system_end) == (0, -1, -1)


def test_bodies_of_bedrock_and_vertex_name_no_model() -> None:
    body = b'{"anthropic_version":"bedrock-2023-05-31","max_tokens":5,"messages":[]}'
    view = read_request(body, model_required=False)
    assert (view.model, view.model_start, view.anthropic_version) == ("", -1, "bedrock-2023-05-31")
    assert refusal(body).startswith("model ")
    with pytest.raises(RequestError, match="model"):
        read_request(b'{"model":""}', model_required=False)


@pytest.mark.parametrize(
    ("tools", "server"),
    [
        ([{"name": "a"}, {"name": "b", "type": "custom"}, {"name": "c", "type": "bash_20250124"}], False),
        ([{"type": "text_editor_20250728"}, {"type": "computer_20251124"}, {"type": "memory_20250818"}], False),
        ([{"type": "web_search_20260318", "name": "web_search"}], True),
        ([{"type": "web_fetch_20260318"}], True),
        ([{"type": "code_execution_20260521"}], True),
        ([{"type": "mcp_toolset"}], True),
        ([{"type": "advisor_20260301", "name": "advisor"}], True),
        ([{"type": "not_known_yet"}], True),
    ],
)
def test_tools_that_the_provider_runs(tools: list[dict[str, str]], server: bool) -> None:
    view = read_request(written({"model": "m", "tools": tools}))
    assert view.has_server_tools is server and view.tool_count == len(tools)
    assert view.tools == tuple(tool["name"] for tool in tools if "name" in tool)
    definition = {"type": "tool_definition", "definition": tools[-1]}
    messages = [{"role": "system", "content": [{"type": "tool_addition", "tool": definition}]}]
    inline = read_request(written({"model": "m", "messages": messages}))
    assert inline.has_server_tools is server and inline.tools == ()


def test_mcp_servers_are_server_tools() -> None:
    assert read_request(b'{"model":"m","mcp_servers":[{"url":"u"}]}').has_server_tools
    assert not read_request(b'{"model":"m","mcp_servers":[]}').has_server_tools


def test_types_are_read_through_escapes() -> None:
    body = rb'{"model":"m","messages":[{"role":"user","content":[{"typ\u0065":"im\u0061ge"}]}]}'
    assert read_request(body).image_count == 1


def test_results_of_tools_are_not_server_tools() -> None:
    content = [{"type": "web_search_tool_result", "content": [{"type": "web_search_result"}]}]
    assert not read_request(written({"model": "m", "messages": [{"content": content}]})).has_server_tools


def test_documents_count_wherever_they_are() -> None:
    content = [{"type": "document"}, {"type": "tool_result", "content": [{"type": "document"}, {"type": "text"}]}]
    assert read_request(written({"model": "m", "messages": [{"content": content}]})).document_count == 2


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("model", ["", None, 1, [], {}, True]),
        ("stream", [None, 0, "true", [], {}]),
        ("max_tokens", [None, -1, 1.0, "5", True, [], {}, 2**53 + 1, 10**300]),
        ("thinking.budget_tokens", [-1, 0.5, "5", True, [], {}, 2**63]),
    ],
)
def test_fields_that_decide_money_have_their_type(field: str, values: list[Any]) -> None:
    for value in values:
        name, _, inner = field.partition(".")
        body = {"model": "m"} | {name: {inner: value} if inner else value}
        assert refusal(written(body)).startswith(f"{field} must be "), value
    assert read_request(b'{"model":"m","max_tokens":9007199254740992}').max_tokens == 2**53
    assert read_request(b'{"model":"m","thinking":{"budget_tokens":null}}').thinking_budget == 0
    assert read_request(b'{"model":"m","thinking":{"budget_tokens":31999}}').thinking_budget == 31999


def test_exponents_are_no_whole_numbers() -> None:
    assert refusal(b'{"model":"m","max_tokens":1e3}').startswith("max_tokens ")


def test_numbers_up_to_the_largest_double() -> None:
    largest = "1.7976931348623157e308"
    whole = str(int(float(largest)))
    tiny = "0." + "0" * 400 + "1e-400"
    for number in (largest, f"-{largest}", whole, "0e999999999999999999999", "1e-999999999999999999999", tiny):
        assert read_request(f'{{"model":"m","x":{number}}}'.encode()).model == "m", number
    assert "range" in refusal(f'{{"model":"m","x":{whole}9}}'.encode())


def test_depth() -> None:
    assert isinstance(read_request(nested(64)), RequestView)
    assert "64" in refusal(nested(65))
    assert "64" in refusal(nested(100_000))
    assert "64" in refusal(b'{"model":"m","x":' + b'{"a":' * 100_000)


def test_names_in_all() -> None:
    head, tail = b'{"model":"m","x":[', b"]}"
    inside = b",".join([b'{"a":0}'] * 999_998)
    assert read_request(head + inside + tail).model == "m"
    assert "1000000" in refusal(head + inside + b',{"a":0}' + tail)


def test_many_names_in_one_object() -> None:
    names = [f'"name-of-a-member-{n}":0' for n in range(300_000)]
    body = '{"model":"m","x":{' + ",".join(names) + "}}"
    assert read_request(body.encode()).model == "m"
    assert "name-of-a-member-0' twice" in refusal(body.replace("}}", r',"name\u002dof-a-member-0":1}}').encode())


@pytest.mark.parametrize("count", [2, 16, 17, 18, 200])
def test_a_name_twice_in_objects_of_any_size(count: int) -> None:
    names = [f"{n:03}" * 5 for n in range(count)]
    for again in (0, count // 2, count - 1):
        members = [f'"{name}":[{{"000000000000000":1}}]' for name in [*names, names[again]]]
        assert "twice" in refusal(('{"model":"m","x":{' + ",".join(members) + "}}").encode())
        assert read_request(('{"model":"m","x":{' + ",".join(members[:-1]) + "}}").encode()).model == "m"


def test_hostile_names_cost_no_more_than_others() -> None:
    """Same length, same beginning, same end: what a careless signature or table would take for the same."""
    hostile = ",".join(f'"{"p" * 20}{n:06}{"s" * 20}":0' for n in range(200_000))
    started = time.process_time()
    read_request(('{"model":"m","x":{' + hostile + "}}").encode())
    # Linear work takes some 30 ms; comparing all pairs would take hours.
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "object"),
        (b"[]", "object"),
        (b'"model"', "object"),
        (b'\xef\xbb\xbf{"model":"m"}', "object"),
        (b'{"model":"m"}{}', "byte 13: bytes after"),
        (b'{"model":"m"}\x00', "bytes after"),
        (b'{"model":"m"', "ends too early"),
        (b'{"model":"m",}', "expected a name"),
        (b'{"model":"m","x":[1,]}', "expected a value"),
        (b'{"model":"m" "x":1}', "expected a comma"),
        (b'{"model" "m"}', "expected a colon"),
        (b'{"model":"m","x":]}', "expected a value"),
        (b'{"model":"m","x":[}}', "expected a value"),
        (b'{"model":"m","x":{]}', "expected a name"),
        (b'{"model":"m","x":NaN}', "expected a value"),
        (b'{"model":"m","x":-Infinity}', "expected a value"),
        (b'{"model":"m","x":01}', "expected a comma"),
        (b'{"model":"m","x":1.}', "expected a value"),
        (b'{"model":"m","x":+1}', "expected a value"),
        (b'{"model":"m","x":tru}', "expected a value"),
        (b'{"model":"m","x":1e309}', "byte 17: a number out of range"),
        (b'{"model":"m","x":[-1.7976931348623159E+308]}', "byte 18: a number out of range"),
        (b'{"model":"m","max_tokens":' + b"9" * 400 + b"}", "byte 26: a number out of range"),
        (b'{"model":"m","x":"\n"}', "byte 18: a control character"),
        (b'{"model":"m","x":"\\q"}', "byte 19: an escape"),
        (b'{"model":"m","x":"\\ud800"}', "surrogate"),
        (b'{"model":"m","x":"\\ude00\\ud83d"}', "surrogate"),
        (b'{"model":"m","x":"ab\xff"}', "byte 20: not UTF-8"),
        (b'{"model":"m","x":"\xed\xa0\x80"}', "not UTF-8"),
        (b'{"model":"m","x":"\xc3"}', "not UTF-8"),
        (b'{"model":"m","x":"' + b"y" * 500, "does not end"),
        (b'{"model":"m","model":"n"}', "'model' twice"),
        (rb'{"model":"m","mod\u0065l":"n"}', "'model' twice"),
        (b"{'model':'m'}", "expected a name"),
        (b'{"model":"m"/**/}', "expected a comma"),
    ],
)
def test_refusals_say_what_and_where(body: bytes, why: str) -> None:
    assert why in refusal(body)


def test_every_beginning_of_a_body_is_refused() -> None:
    body = written(TURN)
    for end in range(len(body)):
        with pytest.raises(RequestError):
            read_request(body[:end])


def test_giant_strings() -> None:
    text = '\u2192 line of \\ text "quoted"\n' * 200_000
    body = written({"model": text, "x": text})
    assert read_request(body).model == text


def test_only_bytes_are_read() -> None:
    for other in (None, "{}", bytearray(b"{}")):
        with pytest.raises(TypeError):
            read_request(other)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        RequestView()
