"""The guardian of the provider's prompt cache, through the whole gateway: breaks planted in tools, system and a message
in the middle are named at their block and byte, and priced as the upstream's own log says.

What the provider reads and writes is worked out by a cache of its own here, over the text of the prompts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from fastgate.sim.behaviour import Behaviour
from tests.support.admin import admin, ask, until
from tests.support.gateway import KEY, Gateway, serving
from tests.support.sim import SimProcess

MARK = {"cache_control": {"type": "ephemeral"}}

WRITE_NANO, READ_NANO = 3_750, 300
"""What a token of Claude Sonnet 4.5 costs to write for five minutes and to read: $ 3.75 and $ 0.30 a million."""


class Provider:
    """A prompt cache as the provider documents it: tools, system, messages; read up to what was written before."""

    def __init__(self) -> None:
        self.known: set[str] = set()

    def usage(self, request: dict[str, Any]) -> dict[str, int]:
        blocks = [*request["tools"], *request["system"]]
        for said in request["messages"]:
            content = said["content"]
            content = [{"type": "text", "text": content}] if isinstance(content, str) else content
            blocks += [{"role": said["role"], **block} for block in content]
        prefix, read, last = "", 0, 0
        written = []
        for block in blocks:
            plain = {name: value for name, value in block.items() if name != "cache_control"}
            prefix += json.dumps(plain, sort_keys=True)
            if prefix in self.known:
                read = len(prefix) // 4
            if "cache_control" in block:
                last = len(prefix) // 4
                written.append(prefix)
        self.known.update(written)
        return {"cache_read": read, "cache_write_5m": last - read, "input": len(prefix) // 4 - last}


class Session:
    """A conversation as Claude Code writes it: two marks on the system prompt, one that moves with the newest message,
    which stands as a string from then on."""

    def __init__(self, gateway: Gateway, upstream: SimProcess, name: str) -> None:
        self.gateway, self.upstream, self.name = gateway, upstream, name
        self.provider = Provider()
        self.tools = [
            {"name": name, "description": f"{name} tool. " * 150, "input_schema": {"type": "object"}}
            for name in ("Bash", "Read", "Edit")
        ]
        self.system = [
            {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.330.440; cc_entrypoint=sdk-cli;"},
            {"type": "text", "text": "You are careful. " * 400, **MARK},
            {"type": "text", "text": "The rules of this house. " * 300, **MARK},
        ]
        self.said: list[dict[str, Any]] = []
        self.body = b""

    def turn(self, text: str) -> dict[str, Any]:
        """One call; its view once it is counted."""
        newest = {"role": "user", "content": [{"type": "text", "text": text, **MARK}]}
        request = {
            "model": "claude-sonnet-4-5", "messages": [*self.said, newest], "system": self.system, "tools": self.tools,
            "max_tokens": 1000,
        }  # fmt: skip
        self.upstream.script(Behaviour(scenario="text", usage=self.provider.usage(request)))
        self.body = json.dumps(request, separators=(",", ":")).encode()
        status, headers, answer = ask(
            self.gateway.url, "POST", "/v1/messages?beta=true", self.body, x_api_key=KEY,
            x_claude_code_session_id=self.name,
        )  # fmt: skip
        assert status == 200, answer
        self.said += [{"role": "user", "content": text}, {"role": "assistant", "content": f"I did it: {text[:40]}"}]
        return finished(self.gateway, headers["x-fastgate-call-id"])

    def at(self, words: str) -> int:
        """Where the block begins in the last request that has these words."""
        return self.body.rindex(b"{", 0, self.body.index(words.encode()))


def finished(gateway: Gateway, call_id: str) -> dict[str, Any]:
    until(lambda: admin(gateway, "GET", f"/calls/{call_id}")[0] == 200, 5, "the call is counted")
    view: dict[str, Any] = admin(gateway, "GET", f"/calls/{call_id}")[1]
    return view


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, upstream: SimProcess) -> Iterator[Gateway]:
    with serving(tmp_path_factory.mktemp("gateway"), upstream.url) as served:
        yield served


def lost_of(upstream: SimProcess, expected: int) -> int:
    """Tokens that the last call paid for although the provider had them, by the provider's own log."""
    return expected - upstream.settled(1)[-1].started.usage.cache_read_tokens


def test_breaks_are_named_and_priced(gateway: Gateway, upstream: SimProcess) -> None:
    session = Session(gateway, upstream, "s-breaks")
    first = session.turn("Do the first thing. " * 300)
    unread = {"read_ratio": "0.0000", "expected_read": None, "broke": None, "placed": None, "placed_saves": None}
    assert first["prompt_cache"] == unread
    second = session.turn("Do the second thing. " * 300)
    assert second["prompt_cache"]["broke"] is None
    used = first["usage"]
    assert second["prompt_cache"]["expected_read"] == used["cache_read_tokens"] + used["cache_write_5m_tokens"]
    assert second["usage"]["cache_read_tokens"] == second["prompt_cache"]["expected_read"]

    def plant_system() -> str:
        session.system[1] = {**session.system[1], "text": "It is Friday. " + str(session.system[1]["text"])}
        return "It is Friday."

    def plant_tool() -> str:
        session.tools[1] = {**session.tools[1], "description": "Reads. " * 200}
        return '"name":"Read"'

    def plant_message() -> str:
        session.said[2] = {"role": "user", "content": [{"type": "text", "text": "Something else was said. " * 10}]}
        return "Something else"

    planted = [
        (plant_system, "system", "system[1]", "text"),
        (plant_tool, "tools", "tools[1] Read", "tool"),
        (plant_message, "messages", "messages[2].content[0]", "text"),
    ]
    lost_nano = 0
    for plant, cause, block, kind in planted:
        words = plant()
        view = session.turn(f"Go on after {cause}. " * 300)
        told = view["prompt_cache"]["broke"]
        lost = lost_of(upstream, view["prompt_cache"]["expected_read"])
        cost_nano = lost * (WRITE_NANO - READ_NANO)
        assert lost > 1024
        assert told == {
            "cause": cause, "block": block, "kind": kind, "byte": session.at(words), "lost_tokens": lost,
            "cost": f"0.{cost_nano:09d}",
        }  # fmt: skip
        lost_nano += cost_nano
        assert session.turn("And on. " * 300)["prompt_cache"]["broke"] is None, "one break is told once"

    status, answer = admin(gateway, "GET", "/cache/sessions")
    assert status == 200
    row = next(item for item in answer["items"] if item["session"] == "s-breaks")
    assert (row["calls"], row["breaks"], row["lost"]) == (8, 3, f"0.{lost_nano:09d}")
    assert (row["last_cause"], row["last_block"]) == ("messages", "messages[2].content[0]")
    listed = gateway.cli("cache", "sessions", "--json").json
    assert [item for item in listed["items"] if item["session"] == "s-breaks"] == [row]
    assert (
        f"fastgate_prompt_cache_breaks_usd_total 0.{lost_nano:09d}"
        in ask(gateway.control_url, "GET", "/metrics")[2].decode()
    )


def test_what_is_no_break(gateway: Gateway, upstream: SimProcess) -> None:
    """A title in between, a second conversation and a side agent are no breaks of the first."""
    session = Session(gateway, upstream, "s-quiet")
    session.turn("Begin. " * 900)
    before = session.tools, session.said, session.system
    session.tools, session.said = [], []
    session.system = [{"type": "text", "text": "Write a title. " * 600}]
    assert session.turn("What is this about? " * 300)["prompt_cache"]["broke"] is None
    session.tools, session.said, session.system = before
    assert session.turn("Go on. " * 900)["prompt_cache"]["broke"] is None


def test_a_cache_that_is_gone_for_no_reason_is_the_providers(gateway: Gateway, upstream: SimProcess) -> None:
    session = Session(gateway, upstream, "s-evicted")
    session.turn("Begin. " * 900)
    session.provider.known.clear()
    told = session.turn("Go on. " * 900)["prompt_cache"]["broke"]
    assert (told["cause"], told["block"], told["byte"]) == ("provider", "", None)
