"""`fastgate route explain`: over the API and the command line, of recorded calls and of requests that are not made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from fastgate._core.money import parse_usd
from fastgate.sim.behaviour import Behaviour
from tests.support.admin import admin, ask, message, until
from tests.support.gateway import Gateway, serving
from tests.support.sim import SimProcess, running

SECOND = '  - {{name: second, kind: compatible, base_url: "{url}", api_key: other, priority: 1}}\n'
LADDER = """\
routing:
  models: [alice-*]
  rules: [{when: {request_class: [auxiliary]}, to: claude-haiku-4-5}, {when: {tools: true}, to: claude-opus-4-8}]
"""
SESSION = "0f4e5a52-7f0e-4c8e-9c39-2a52f1d0a111"


@pytest.fixture(scope="module")
def upstreams(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SimProcess, SimProcess]]:
    with running(tmp_path_factory.mktemp("first")) as first, running(tmp_path_factory.mktemp("second")) as second:
        yield first, second


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, upstreams: tuple[SimProcess, SimProcess]) -> Iterator[Gateway]:
    more = SECOND.format(url=upstreams[1].url) + LADDER
    with serving(tmp_path_factory.mktemp("gateway"), upstreams[0].url, workers=2, more=more) as served:
        yield served


def called(gateway: Gateway, text: str = "hello", **headers: str) -> str:
    """The id of one call, once it is counted."""
    status, answer, _ = message(gateway, text, x_claude_code_session_id=SESSION, **headers)
    assert status == 200
    call_id = answer["x-fastgate-call-id"]
    until(lambda: admin(gateway, "GET", f"/calls/{call_id}")[0] == 200, 5, "the call is counted")
    return call_id


def explained(gateway: Gateway, call_id: str) -> Any:
    status, answer = admin(gateway, "GET", f"/calls/{call_id}/route")
    assert status == 200, answer
    return answer


def test_calls_are_explained_from_their_records(gateway: Gateway, upstreams: tuple[SimProcess, SimProcess]) -> None:
    usage = "hello [[sim:usage usage=input:5,output:60,cache_write_5m:40000]]"
    first = explained(gateway, called(gateway, usage))
    assert (first["reason"], first["home"], first["endpoint"]) == ("new", "", "scripted")
    assert [item["place"] for item in first["items"]] == ["scripted", "second"]
    second = explained(gateway, called(gateway))
    assert (second["reason"], second["home"]) == ("home", "scripted")
    home, other = second["items"]
    assert (home["home"], other["home"]) == (True, False)
    assert other["warm_tokens"] == 0 < home["warm_tokens"]
    expected = second["expected"]
    assert all(item["warm_tokens"] + item["new_tokens"] == expected["prompt_tokens"] for item in second["items"])
    upstreams[0].script(Behaviour(status=529), n=1)
    moved = called(gateway)
    third = explained(gateway, moved)
    assert (third["endpoint"], third["routed"], third["items"][0]["place"]) == (
        "second",
        "hop;scripted;failed",
        "scripted",
    )
    for told in (first, second, third):
        assert told["replayed"] is True
        for item in told["items"]:
            turns = told["turns"] - 1
            assert parse_usd(item["whole"]) == parse_usd(item["price"]) + turns * parse_usd(item["later"])
    shown = gateway.cli("route", "explain", moved)
    assert "ANOTHER ORDER" not in shown.out and "the recorded inputs give the same" in shown.out
    assert "the answer came from second, and not from scripted" in shown.out
    assert json.loads(gateway.cli("route", "explain", moved, "--json").out) == third
    unknown = gateway.cli("route", "explain", "fg-000000000000-1")
    assert unknown.code == 1 and "there is no finished call" in unknown.err


def test_a_request_is_explained_without_being_made(
    gateway: Gateway, upstreams: tuple[SimProcess, SimProcess], tmp_path: Path
) -> None:
    home = explained(gateway, called(gateway))["endpoint"]
    before = [len(upstream.calls()) for upstream in upstreams]
    body = {"model": "claude-sonnet-4-5", "max_tokens": 64, "messages": [{"role": "user", "content": "hello"}]}
    file = tmp_path / "request.json"
    file.write_text(json.dumps(body))
    told = gateway.cli("route", "explain", "-f", str(file), "--key", "alice-laptop", "--session", SESSION, "--json")
    found = json.loads(told.out)
    assert (found["reason"], found["home"], found["replayed"]) == ("home", home, None)
    new = json.loads(gateway.cli("route", "explain", "-f", str(file), "--json").out)
    assert (new["reason"], [item["place"] for item in new["items"]]) == ("new", ["scripted", "second"])
    assert [len(upstream.calls()) for upstream in upstreams] == before
    status, answer = admin(gateway, "POST", "/route", {"request": {**body, "model": 5}})
    assert status == 400 and "model" in answer["error"]["message"]
    file.write_text("{")
    assert gateway.cli("route", "explain", "-f", str(file)).code == 2
    assert gateway.cli("route", "explain").code == 2


def test_questions_leave_no_file_open(gateway: Gateway) -> None:
    body = {"model": "claude-sonnet-4-5", "max_tokens": 64, "messages": [{"role": "user", "content": "hello"}]}
    control = psutil.Process(admin(gateway, "GET", "/status")[1]["control_pid"])
    before = control.num_fds()
    for _ in range(30):
        assert admin(gateway, "POST", "/route", {"request": body})[0] == 200
    assert control.num_fds() < before + 15


def test_the_ladder_is_explained_from_the_record_and_asked_again(
    gateway: Gateway, upstreams: tuple[SimProcess, SimProcess], tmp_path: Path
) -> None:
    moved = called(gateway, "a title", x_claude_code_request_class="auxiliary")
    step = explained(gateway, moved)["ladder"]
    assert (step["by"], step["to"], step["kept"], step["replayed"]) == ("rule 1", "claude-haiku-4-5", "", True)
    assert 0 < parse_usd(step["move"]) < parse_usd(step["stay"])
    shown = gateway.cli("route", "explain", moved).out
    assert "rule 1 asks for claude-haiku-4-5 instead of" in shown and "asked again that is the same" in shown
    for upstream in upstreams:
        upstream.script(Behaviour(status=500), n=1)
    body = {"model": "claude-sonnet-4-5", "models": ["claude-haiku-4-5"], "max_tokens": 64}
    sent = json.dumps(body | {"messages": [{"role": "user", "content": "hello"}]}).encode()
    status, answer, _ = ask(gateway.url, "POST", "/v1/messages", sent, x_api_key=gateway.key)
    assert status == 200
    call_id = answer["x-fastgate-call-id"]
    until(lambda: admin(gateway, "GET", f"/calls/{call_id}")[0] == 200, 5, "the call is counted")
    step = explained(gateway, call_id)["ladder"]
    assert (step["by"], step["to"], step["replayed"]) == ("preferred", "claude-haiku-4-5", None)
    assert "the request itself names claude-haiku-4-5" in step["why"]
    assert explained(gateway, called(gateway))["ladder"] is None


def test_a_request_is_explained_with_the_ladders_word(gateway: Gateway, tmp_path: Path) -> None:
    tools = [{"name": "Read", "input_schema": {"type": "object"}}]
    body = {"model": "claude-sonnet-4-5", "max_tokens": 64, "messages": [{"role": "user", "content": "hello"}]}
    file = tmp_path / "request.json"
    for more, class_, told in (
        ({}, "auxiliary", ("rule 1", "claude-haiku-4-5", "")),
        ({"tools": tools}, "", ("rule 2", "claude-opus-4-8", "dearer")),
        ({"models": ["claude-haiku-4-5"]}, "", None),
    ):
        file.write_text(json.dumps(body | more))
        found = json.loads(gateway.cli("route", "explain", "-f", str(file), "--class", class_, "--json").out)
        step = found["ladder"]
        assert (step and (step["by"], step["to"], step["kept"])) == told
        model = told[1] if told is not None and not told[2] else body["model"]
        assert found["items"][0]["model"] == model
