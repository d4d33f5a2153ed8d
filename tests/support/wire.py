"""What comes over the wire, generated: JSON spelled in every way that means the same, and streams of events with all
that a provider, or a broken one, may put in them.
"""

from __future__ import annotations

import ctypes
import json
import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")

# Text that looks like structure to a reader that does not read strings.
TRICKS = [
    '"usage":{"output_tokens":999999}', '{"type":"message_stop"}', "\n\nevent: message_stop\ndata: {}\n\n", "\r\n\r\n",
    '\\"', "\\", '"', "\u2028", "\x00", "\U0001f600", "é", "→", "日本語", "\x7f", "data: [DONE]",
]  # fmt: skip
# Escapes that stand for no character: half of a pair.
SURROGATES = [r"\ud83d", r"\ude00", r"\ude00\ud83d", r"\ud83d\ud83d\ude00", r"\\\ude00"]
TEXT = st.one_of(st.sampled_from(TRICKS), st.text(st.characters(codec="utf-8"), max_size=90))
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False), TEXT
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=6,
)

# A count as providers write it, and as they must not.
GOOD_COUNTS = st.one_of(st.integers(0, 200_000), st.sampled_from([0, 2**53]))
BAD_COUNTS = st.sampled_from([-1, 1.0, 1e30, 2**53 + 1, 10**19, 10**40, "12", True, [], {}, [5], {"a": 1}])
COUNTS = st.one_of(GOOD_COUNTS, GOOD_COUNTS, GOOD_COUNTS, st.none(), BAD_COUNTS)


def some(fields: dict[str, st.SearchStrategy[Any]], also: st.SearchStrategy[Any] = VALUES) -> st.SearchStrategy[Any]:
    """An object with any of these fields, and sometimes one of no known name."""
    return st.tuples(st.fixed_dictionaries({}, optional=fields), st.dictionaries(TEXT, also, max_size=1)).map(
        lambda both: both[1] | both[0]
    )


def mostly(right: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 9).flatmap(lambda n: right if n else VALUES)


SPLITS = some({"ephemeral_5m_input_tokens": COUNTS, "ephemeral_1h_input_tokens": COUNTS})
TOKENS = {
    "input_tokens": COUNTS, "output_tokens": COUNTS, "cache_read_input_tokens": COUNTS,
    "cache_creation_input_tokens": COUNTS, "cache_creation": mostly(SPLITS),
}  # fmt: skip
ITERATIONS = st.lists(
    mostly(some({"type": mostly(st.sampled_from(["message", "compaction", "advisor_message", "other"])), **TOKENS})),
    max_size=3,
)
USAGE = some(
    {
        **TOKENS,
        "server_tool_use": mostly(some(dict.fromkeys(
            ["web_search_requests", "web_fetch_requests", "code_execution_requests"], COUNTS))),
        "iterations": mostly(ITERATIONS),
        "speed": mostly(st.sampled_from(["fast", "standard", None])),
        "inference_geo": mostly(st.sampled_from(["us", "global", None])),
        "service_tier": mostly(st.sampled_from(["standard", "priority", "batch"])),
    }
)  # fmt: skip
WORDS = mostly(st.one_of(st.none(), st.sampled_from(["end_turn", "tool_use", "claude-opus-5-5", "x" * 512, "x" * 513])))
BLOCKS = some({
    "type": WORDS, "text": mostly(TEXT), "thinking": mostly(TEXT), "partial_json": mostly(TEXT), "signature": TEXT,
    "content": VALUES, "input": VALUES, "citation": some({"cited_text": TEXT}),
})  # fmt: skip
MESSAGES = some({
    "id": WORDS, "type": st.just("message"), "role": st.just("assistant"), "model": WORDS, "stop_reason": WORDS,
    "content": st.one_of(VALUES, st.lists(BLOCKS, max_size=3)), "usage": mostly(USAGE),
})  # fmt: skip
MEMBERS = {
    "message": mostly(MESSAGES), "delta": mostly(BLOCKS), "content_block": mostly(BLOCKS), "usage": mostly(USAGE),
    "error": mostly(some({"type": WORDS, "message": TEXT})), "index": st.just(0),
}  # fmt: skip
KINDS = [
    "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta",
    "message_stop", "ping", "error",
]  # fmt: skip
NAMES = st.one_of(st.sampled_from(KINDS), st.sampled_from(["", "message", "future_event", "n" * 70, "content_block_"]))


def spell(value: Any, style: random.Random, faults: float = 0.03) -> str:
    """`value` as JSON, in one of the many ways to write it; of its texts and objects a share has what strict readers
    refuse: half of a surrogate pair, a name twice."""
    space = style.choice(["", "", " ", "\t", "\n ", "\r\n"]) if style.random() < 0.3 else ""
    if isinstance(value, str):
        return spell_text(value, style, faults)
    if isinstance(value, dict):
        members = [
            f"{spell_text(key, style, faults)}{space}:{space}{spell(member, style, faults)}"
            for key, member in value.items()
        ]
        if members and style.random() < faults:
            members.append(style.choice(members))
        return "{" + space + f"{space},".join(members) + space + "}"
    if isinstance(value, list):
        return "[" + space + f",{space}".join(spell(item, style, faults) for item in value) + space + "]"
    return json.dumps(value)


def spell_text(text: str, style: random.Random, faults: float) -> str:
    share = style.choice([0, 0, 0, 0.1, 1])
    units = []
    for char in text:
        plain = json.dumps(char, ensure_ascii=False)[1:-1]
        if char == "/" and style.random() < share:
            plain = "\\/"
        elif style.random() < share:
            plain = json.dumps(char, ensure_ascii=True)[1:-1]
            if len(plain) == 1:
                plain = f"\\u{ord(char):04{style.choice('xX')}}"
        units.append(plain)
    if style.random() < faults:
        units.insert(style.randrange(len(units) + 1), style.choice(SURROGATES))
    return '"' + "".join(units) + '"'


@st.composite
def data_of(draw: st.DrawFn, kind: str) -> bytes:
    """The data of one event, nearly always JSON."""
    style = random.Random(draw(st.integers(0, 2**32)))
    wanted = dict(draw(st.fixed_dictionaries({}, optional=MEMBERS)))
    if style.random() < 0.9:
        wanted["type"] = kind if style.random() < 0.9 else draw(mostly(NAMES))
    members = list(wanted.items())
    style.shuffle(members)
    data = spell(dict(members), style).encode()
    if style.random() < 0.1:
        at = style.randrange(len(data))
        data = style.choice([data[:at], data + b"}", data[:at] + style.randbytes(1) + data[at + 1 :], b"[]", b""])
    return data


@st.composite
def event_lines(draw: st.DrawFn) -> list[bytes]:
    """The lines of one event (or comment), without their ends; data that holds line ends becomes several lines."""
    kind, name = draw(st.sampled_from(KINDS)), draw(NAMES)
    name = name if draw(st.integers(0, 4)) == 0 else kind
    colon = draw(st.sampled_from([b": ", b":"]))
    data = draw(data_of(kind))
    lines = [b"data" + colon + part for part in data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")]
    if name:
        lines.insert(draw(st.integers(0, len(lines))), b"event" + colon + name.encode())
    extra = draw(st.sampled_from([None] * 6 + [b": a comment", b"id: 7", b"retry: 10", b"data", b"event", b"dat: x"]))
    if extra is not None:
        lines.insert(draw(st.integers(0, len(lines))), extra)
    return [*lines, b""]


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """A stream: events with line ends of any kind, sometimes a byte order mark, sometimes cut short."""
    ends = draw(st.sampled_from([[b"\n"], [b"\r\n"], [b"\r"], [b"\n", b"\r\n", b"\r"]]))
    lines = [line for event in draw(st.lists(event_lines(), max_size=5)) for line in event]
    stream = draw(st.sampled_from([b"", b"", b"\xef\xbb\xbf", b"\xef\xbb"]))
    for line in lines:
        stream += line + draw(st.sampled_from(ends))
    if draw(st.integers(0, 3)) == 0:
        stream = stream[: draw(st.integers(0, len(stream)))]
    return stream


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    """The stream in pieces, cut at these places (any numbers; they are brought into range)."""
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[a:b] for a, b in pairwise(edges)]


def lend(read: Callable[[bytes], T], chunk: bytes) -> T:
    """What `read` says of a chunk that is gone, and written over, right after the call."""
    copy = bytes(bytearray(chunk))
    answer = read(copy)
    if len(copy) > 1:  # shorter ones are shared by the whole interpreter
        ctypes.memset(id(copy) + bytes.__basicsize__ - 1, 0xAA, len(copy))
    return answer


CUTS = st.lists(st.integers(0, 1 << 20), max_size=12)
