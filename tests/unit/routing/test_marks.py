"""Marks for the provider's prompt cache: where they go, that nothing else changes, and that they pay."""

from __future__ import annotations

import json
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate._core.money import PriceRow
from fastgate._core.request import read_request
from fastgate._core.usage import Usage
from fastgate._core.warmth import WarmthTable, hash_of
from fastgate.routing import marks
from fastgate.routing.price import Turn
from fastgate.routing.router import label_of
from fastgate.snapshot_cache import PromptPolicy
from tests.support.plane import endpoint
from tests.support.wire import spell

S = 1_000_000_000
ROW = PriceRow.new(
    input_pico=3_000_000,
    output_pico=15_000_000,
    cache_write_5m_pico=3_750_000,
    cache_write_1h_pico=6_000_000,
    cache_read_pico=300_000,
)
EPHEMERAL = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}

PADDING = "p" * 4200
"""Bodies under 4 KiB are cached by nobody."""

texts = st.text(max_size=40)
blocks = st.one_of(
    st.builds(lambda text: {"type": "text", "text": text}, texts),
    st.builds(lambda text: {"type": "tool_result", "tool_use_id": "t", "content": text}, texts),
    st.builds(lambda text: {"type": "thinking", "thinking": text, "signature": "s"}, texts),
    st.builds(lambda text: {"type": "tool_use", "id": "t", "name": "n", "input": {"cache_control": text}}, texts),
)
contents = texts | st.lists(blocks, min_size=1, max_size=4)
requests = st.builds(
    lambda said, system, order: (said, system, order),
    st.lists(contents, min_size=1, max_size=5),
    st.none() | texts | st.lists(st.builds(lambda t: {"type": "text", "text": t}, texts), min_size=1, max_size=3),
    st.integers(0, 2**32).map(random.Random),
)


def body_of(said: list[Any], system: Any, style: random.Random) -> bytes:
    messages = [{"role": ("user", "assistant")[n % 2], "content": one} for n, one in enumerate(said)]
    request: dict[str, Any] = {"model": "claude-sonnet-5-5", "messages": messages, "max_tokens": 9, "x": PADDING}
    if system is not None:
        request["system"] = system
    return spell(request, style, 0).encode()


def plain(said: list[Any]) -> bytes:
    messages = [{"role": ("user", "assistant")[n % 2], "content": one} for n, one in enumerate(said)]
    return json.dumps({"model": "m", "system": "careful " * 600, "messages": messages, "max_tokens": 9}).encode()


def without_marks(value: Any) -> Any:
    """Texts as blocks, and no marks: what a provider reads as the same."""
    told = json.loads(value)
    for message in told["messages"]:
        if isinstance(message["content"], str):
            message["content"] = [{"type": "text", "text": message["content"]}]
    if isinstance(told.get("system"), str):
        told["system"] = [{"type": "text", "text": told["system"]}]
    for block in places(told):
        block.pop("cache_control", None)
    return told


def places(told: Any) -> list[Any]:
    found = [block for block in told.get("system", ()) if isinstance(block, dict)]
    for message in told["messages"]:
        found += [block for block in message["content"] if isinstance(block, dict)]
    return found


@given(requests)
def test_marks_are_all_that_changes(drawn: tuple[Any, Any, random.Random]) -> None:
    body = body_of(*drawn)
    marked = marks.with_breakpoints(body, read_request(body))
    if marked is None:
        return
    read_request(marked)
    told = json.loads(marked)
    found = [block for block in places(told) if "cache_control" in block]
    assert 1 <= len(found) <= 2
    newest = told["messages"][-1]["content"][-1]
    assert newest["cache_control"] == EPHEMERAL
    assert without_marks(marked) == without_marks(body)
    assert marks.with_breakpoints(marked, read_request(marked)) is None, "a client that marks keeps its marks"
    longer = marks.with_hour(marked, read_request(marked))
    if b'"cache_control"' not in body:  # else the input of a tool looks like a mark
        assert longer is not None
    if longer is not None:
        read_request(longer)
        assert [block["cache_control"] for block in places(json.loads(longer)) if "cache_control" in block] == [
            HOUR for _ in found
        ]
        assert without_marks(longer) == without_marks(body)
        assert marks.with_hour(longer, read_request(longer)) is None


def test_what_only_looks_like_a_mark_is_left_alone() -> None:
    tool = {"type": "tool_use", "id": "t", "name": "n", "input": {"cache_control": EPHEMERAL}}
    newest = {"type": "text", "text": 'say "cache_control": {"type": "ephemeral"}', "cache_control": EPHEMERAL}
    body = plain(["look", [tool], [newest]])
    assert marks.with_hour(body, read_request(body)) is None
    body = plain(["look", "see", [newest]])
    longer = marks.with_hour(body, read_request(body))
    assert longer is not None and longer.count(b'"1h"') == 1


@given(st.integers(1, 500_000), st.integers(0, 500_000), st.integers(1, 8000))
def test_the_saving_is_what_two_turns_cost_less(prompt: int, warm: int, output: int) -> None:
    turn = Turn(prompt, output, caches=True)
    read = min(warm, prompt)
    fresh = prompt - warm if 0 < warm < prompt else prompt // marks.FRESH_PART
    plain, five, hour, cheap = 3000, 3750, 6000, 300  # nano-dollars a token
    marked = read * cheap + (prompt - read) * five + (prompt - fresh) * cheap + fresh * five
    assert marks.saved_by_marks(turn, ROW, warm) == 2 * prompt * plain - marked
    short = read * cheap + (prompt - read) * five + prompt * five
    long = read * cheap + (prompt - read) * hour + (prompt - fresh) * cheap + fresh * hour
    assert marks.saved_by_hour(turn, ROW, warm) == short - long


@pytest.mark.parametrize(
    ("gap_s", "marked", "policy", "kind", "placed"),
    [
        (20, False, PromptPolicy(True, True), "anthropic", "breakpoints"),
        (20, False, PromptPolicy(False, True), "anthropic", None),
        (20, True, PromptPolicy(True, True), "anthropic", None),
        (400, True, PromptPolicy(True, True), "anthropic", "hour"),
        (400, True, PromptPolicy(True, False), "anthropic", None),
        (400, False, PromptPolicy(True, True), "anthropic", None),
        (20, False, PromptPolicy(True, True), "bedrock", None),
        (2000, True, PromptPolicy(True, True), "anthropic", None),
    ],
)
def test_the_rhythm_decides(
    tmp_path: Path, gap_s: int, marked: bool, policy: PromptPolicy, kind: str, placed: str | None
) -> None:
    warmth = WarmthTable.open(tmp_path / "warmth")
    place = endpoint("http://127.0.0.1:9", kind=kind)
    newest = {"type": "text", "text": "more"} | ({"cache_control": EPHEMERAL} if marked else {})
    body = plain(["a question", "an answer", [newest]])
    request = read_request(body)
    usage = Usage.of(input_tokens=2000, output_tokens=100)
    for n in range(3):
        at_ns = (1_000_000 + n * gap_s) * S
        size = request.system_end - request.system_start
        warmth.learn("k", "s", "", "main", hash_of(label_of(place)), request.model, size, len(body), at_ns, usage)
    router: Any = SimpleNamespace(warmth=warmth, numbers={label_of(place): hash_of(label_of(place))})
    router.turn = lambda call, _, known: Turn(known.prompt_tokens(len(call.body)), 100, caches=known.caches)
    call: Any = SimpleNamespace(
        request=request, principal=SimpleNamespace(key="k"), placed=None, route="messages", session="s", body=body,
        head=SimpleNamespace(agent="", request_class="main"), at_ns=(1_000_000 + 3 * gap_s) * S,
        preferred=("another",), snapshot=SimpleNamespace(data=SimpleNamespace(throttled=())),
    )  # fmt: skip
    assert not marks.place(call, [(place, ROW, 0, request.model)], router, policy), "another kind may still serve it"
    call.preferred = ()
    changed = marks.place(call, [(place, ROW, 0, request.model)], router, policy)
    assert changed == (placed is not None)
    if placed is None:
        assert call.body is body and call.placed is None
        return
    assert call.placed[0] == placed and call.placed[1] > 0
    assert (b'"1h"' in call.body) == (placed == "hour")
    assert not marks.place(call, [(place, ROW, 0, request.model)], router, policy), "once a call"
