"""The bound holds: whatever a provider can make of a request, it costs no more, whatever is known of its beginning.

The provider here counts tokens by any rule that gives a message at most its bytes, adds what it adds for tools and
images, and may take any part of the prompt for any class of the cache.
"""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from fastgate._core.request import read_request
from fastgate._core.usage import Usage
from fastgate.bound import (
    CONTEXT_TOKENS_MAX,
    IMAGE_TOKENS_MAX,
    OUTPUT_TOKENS_MAX,
    SERVER_TOOL_USES_MAX,
    TOOLS_TOKENS_MAX,
    bound_nano,
    tokens_for,
)
from fastgate.gateway.prefixes import BODY_BYTES_MIN, KEPT_BYTES, Prefixes
from fastgate.gateway.rooms.hold import clamp
from tests.support.burst import BOOK
from tests.support.plane import LIMITS

MODELS = st.sampled_from(["claude-opus-5-5", "claude-sonnet-4-5", "claude-haiku-4-5", "a-model-without-a-price"])
TEXTS = st.one_of(st.text(max_size=40), st.integers(0, 40_000).map(lambda n: "word " * n))
BLOCKS = st.one_of(
    TEXTS.map(lambda text: {"type": "text", "text": text}),
    st.just({"type": "image", "source": {"type": "url", "url": "https://x/y.png"}}),
)
MESSAGES = st.builds(
    lambda role, content: {"role": role, "content": content},
    st.sampled_from(["user", "assistant"]),
    st.one_of(TEXTS, st.lists(BLOCKS, max_size=3)),
)
TOOLS = st.lists(st.just({"name": "Bash", "input_schema": {"type": "object"}}), max_size=2)


@st.composite
def conversations(draw: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A request, and one that follows it: more messages, perhaps with something before them changed."""
    first = {
        "model": draw(MODELS),
        "max_tokens": draw(st.integers(1, 128_000)),
        "messages": draw(st.lists(MESSAGES, min_size=1, max_size=4)),
        "system": draw(TEXTS),
        "tools": draw(TOOLS),
    } | draw(st.sampled_from([{}, {"speed": "fast"}]))
    kept = first["messages"][: draw(st.integers(0, len(first["messages"])))]
    second = first | {"messages": [*kept, *draw(st.lists(MESSAGES, max_size=3))]}
    second |= draw(st.sampled_from([{}, {}, {"max_tokens": 5}, {"system": "other"}, {"tools": []}, {"stream": True}]))
    return first, second


def encoded(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")


def prompt_tokens(body: dict[str, Any], dense: int) -> int:
    """What a provider counts: of each part of the prompt a `dense`th of its bytes, at most all of them."""
    total = 0
    for part in (body["system"], *body["tools"], *body["messages"]):
        text = encoded(part) if not isinstance(part, str) else part.encode()
        images = text.count(b'"type": "image"')
        total += -(-len(text) // dense) + images * (IMAGE_TOKENS_MAX - 50)
    return total + (TOOLS_TOKENS_MAX if body["tools"] else 0)


def a_call(body: dict[str, Any], **changes: Any) -> Any:
    raw = encoded(body)
    call = {
        "body": raw, "request": read_request(raw), "session": "s", "lines": b"anthropic-beta: a\r\n",
        "principal": SimpleNamespace(key="k"), "head": SimpleNamespace(agent=""), "model_used": body["model"],
        "endpoint": SimpleNamespace(name="a"),
        "usage": None, "usage_state": "none",
    }  # fmt: skip
    return SimpleNamespace(**call | changes)


@st.composite
def bills(draw: Any, tokens: int, most_output: int, fast: bool) -> Usage:
    """A usage of so many prompt tokens: any split over the classes, any output."""
    cuts = sorted(draw(st.lists(st.integers(0, tokens), min_size=3, max_size=3)))
    plain, write_5m, write_1h = cuts[0], cuts[1] - cuts[0], cuts[2] - cuts[1]
    return Usage.of(
        input_tokens=plain,
        cache_write_5m_tokens=write_5m,
        cache_write_1h_tokens=write_1h,
        cache_read_tokens=tokens - cuts[2],
        output_tokens=draw(st.integers(0, most_output)),
        fast=fast and draw(st.booleans()),
        us_geo=draw(st.booleans()),
    )


@given(conversations(), st.integers(1, 4), st.data())
def test_no_bill_is_above_the_bound_whatever_is_known(
    both: tuple[dict[str, Any], dict[str, Any]], dense: int, data: st.DataObject
) -> None:
    first, second = both
    row = BOOK.row("anthropic", first["model"])
    tokens = prompt_tokens(first, dense)
    prefixes = Prefixes()
    prefixes.keep(a_call(first, usage=data.draw(bills(tokens, 5, fast=False)), usage_state="exact"))
    call = a_call(second)
    plain_nano = bound_nano(call.request, row, second["max_tokens"], LIMITS)
    known = prefixes.tell(call, {("a", call.model_used)})
    bound = bound_nano(call.request, row, second["max_tokens"], LIMITS)
    assert bound <= plain_nano
    assert known or bound == plain_nano
    bill = data.draw(bills(prompt_tokens(second, dense), second["max_tokens"], fast="speed" in second))
    assert row.cost(bill) <= bound
    # And where output was cut to what an amount pays for, that amount does.
    nano = data.draw(st.integers(bound_nano(call.request, row, 1, LIMITS), bound))
    fits = tokens_for(call.request, row, nano, 1, LIMITS)
    assert bound_nano(call.request, row, fits, LIMITS) <= nano


LONG = {
    "model": "claude-opus-5-5", "max_tokens": 100, "system": "s" * 20_000, "tools": [],
    "messages": [{"role": "user", "content": "word " * 10_000}],
}  # fmt: skip
MORE = LONG | {"messages": [*LONG["messages"], {"role": "assistant", "content": "x"}, {"role": "user", "content": "y"}]}


def told(first: Any, second: Any) -> tuple[int, int]:
    prefixes = Prefixes()
    prefixes.keep(first)
    prefixes.tell(second, {(second.endpoint.name, second.model_used)})
    return second.request.known_tokens, second.request.text_bytes - second.request.known_bytes


def test_the_next_turn_of_a_long_conversation_is_bound_by_what_it_was_and_what_is_new() -> None:
    usage = Usage.of(input_tokens=100, cache_write_1h_tokens=2_000, cache_read_tokens=14_000)
    answered = a_call(LONG, usage=usage, usage_state="exact")
    tokens, new_bytes = told(answered, a_call(MORE))
    assert tokens == 16_100
    assert new_bytes == sum(len(json.dumps(message)) for message in MORE["messages"][1:])
    unknown = (0, len(encoded(MORE)))
    for other in (
        a_call(MORE, session="t"),
        a_call(MORE, model_used="claude-haiku-4-5"),
        a_call(MORE, head=SimpleNamespace(agent="sub")),
        a_call(MORE, principal=SimpleNamespace(key="other")),
        a_call(MORE, lines=b"anthropic-beta: b\r\n"),
        a_call(MORE, endpoint=SimpleNamespace(name="b")),
    ):
        assert told(answered, other) == unknown
    assert told(a_call(LONG, usage=usage, usage_state="partial"), a_call(MORE)) == unknown
    assert not Prefixes().tell(a_call(MORE), {("a", "claude-opus-5-5"), ("b", "claude-opus-5-5")})
    again = a_call(MORE, usage=usage, usage_state="exact")
    assert told(again, a_call(LONG)) == (0, len(encoded(LONG))), "gone back to an earlier turn"
    for changed in (MORE | {"system": "t" * 20_000}, MORE | {"thinking": {"type": "adaptive"}}):
        assert told(answered, a_call(changed)) == (0, len(encoded(changed)))


@given(conversations(), st.booleans(), st.integers(1, 5_000), st.floats(0, 1))
def test_a_call_that_is_made_shorter_is_bound_by_what_is_held_for_it(
    pair: tuple[dict[str, Any], dict[str, Any]], named: bool, least: int, part: float
) -> None:
    """Also where `max_tokens` is put in: what we write ourselves is no input that somebody pays for."""
    body = dict(pair[0])
    if not named:
        del body["max_tokens"]
    call: Any = SimpleNamespace(body=encoded(body), asked=None)
    call.request = read_request(call.body)
    row = BOOK.row("anthropic", body["model"])
    bound = bound_nano(call.request, row, call.request.max_tokens, LIMITS)
    floor = bound_nano(call.request, row, least, LIMITS)
    held = floor + int((bound - floor) * part)
    if floor <= held < bound:
        fits = tokens_for(call.request, row, held, least, LIMITS)
        clamp(call, fits)
        assert call.request.max_tokens == fits
        assert bound_nano(call.request, row, fits, LIMITS) <= held


def test_what_is_remembered_has_an_end() -> None:
    prefixes = Prefixes()
    usage = Usage.of(input_tokens=1)
    body = LONG | {"system": "s" * (KEPT_BYTES // 20)}
    for n in range(40):
        prefixes.keep(a_call(body, session=f"s{n % 30}", usage=usage, usage_state="exact"))
    assert prefixes.tell(a_call(body, session="s9"), {("a", body["model"])})
    assert not prefixes.tell(a_call(body, session="s10"), {("a", body["model"])})
    small = LONG | {"system": "", "messages": [{"role": "user", "content": "x" * (BODY_BYTES_MIN // 2)}]}
    prefixes.keep(a_call(small, session="small", usage=usage, usage_state="exact"))
    assert not prefixes.tell(a_call(small, session="small"), {("a", body["model"])})


def test_dearer_forms_are_bound_as_such() -> None:
    row = BOOK.row("anthropic", "claude-opus-5-5")
    plain = bound_nano(read_request(encoded(LONG)), row, 100, LIMITS)
    compacted = encoded(LONG | {"context_management": {"edits": [{"type": "compact_20260112"}]}})
    assert bound_nano(read_request(compacted), row, 100, LIMITS) >= 2 * plain
    assert bound_nano(read_request(encoded(LONG | {"speed": "fast"})), row, 100, LIMITS) >= 2 * plain
    unnamed = read_request(encoded(LONG | {"max_tokens": 0}))
    assert bound_nano(unnamed, row, 0, LIMITS) > row.bound(0, OUTPUT_TOKENS_MAX) // 2


@given(st.integers(0, 100_000_000), st.booleans(), st.booleans())
def test_what_the_providers_tools_read_is_held_as_configured(tokens: int, fast: bool, document: bool) -> None:
    row = BOOK.row("anthropic", "claude-opus-5-5")
    limits = structs.replace(LIMITS, server_tool_tokens=tokens)
    source = {"type": "document", "source": {"type": "url", "url": "https://x/y.pdf"}}
    body = LONG | {"tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 8}]}
    body |= {"messages": [{"role": "user", "content": [source]}]} if document else {}
    body |= {"speed": "fast"} if fast else {}
    request = read_request(encoded(body))
    read = Usage.of(
        input_tokens=request.text_bytes + TOOLS_TOKENS_MAX + document * CONTEXT_TOKENS_MAX,
        cache_write_1h_tokens=tokens,
        output_tokens=100,
        web_search=SERVER_TOOL_USES_MAX,
        fast=fast,
        us_geo=True,
    )
    assert row.cost(read) <= bound_nano(request, row, 100, limits)
