"""Laws of rehydration: whatever the reads and deltas, the client gets the text with its placeholders turned back."""

from __future__ import annotations

import json
import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fastgate._core.restore import PREFIX, SIZE, Restorer, events, with_text
from tests.support.wire import TEXT

KNOWN = [PREFIX + bytes([letter]) * 20 for letter in b"ab2"]
UNKNOWN = PREFIX + b"z" * 20
SECRETS = {
    KNOWN[0]: b"AKIA0123456789ABCDEF",
    KNOWN[1]: 'a "quoted"\\ line\nand → another'.encode(),
    KNOWN[2]: b"redacted_fg_not_one_itself",
}
PIECES = st.one_of(
    st.sampled_from([*(known.decode() for known in KNOWN), UNKNOWN.decode(), "r", "redacted", "redacted_fg_", "re"]),
    TEXT,
)
TEXTS = st.lists(PIECES, max_size=6).map("".join)


def event(kind: str, **members: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind} | members)}\n\n".encode()


def deltas(text: str, index: int, kind: str, style: random.Random) -> list[bytes]:
    """The text in deltas of any size, a ping between them now and then."""
    member = {"text_delta": "text", "input_json_delta": "partial_json", "thinking_delta": "thinking"}[kind]
    out = []
    while text:
        size = style.choice([1, 2, 5, 13, 40, len(text)])
        out.append(event("content_block_delta", index=index, delta={"type": kind, member: text[:size]}))
        text = text[size:]
        if style.random() < 0.1:
            out.append(event("ping"))
    return out


def stream(blocks: list[tuple[str, str]], style: random.Random) -> list[bytes]:
    out = [event("message_start", message={"content": []})]
    for index, (kind, text) in enumerate(blocks):
        out.append(event("content_block_start", index=index, content_block={"type": "text", "text": ""}))
        out += deltas(text, index, kind, style)
        out.append(event("content_block_stop", index=index))
    return [*out, event("message_stop")]


def heard(answer: bytes) -> list[tuple[str, str]]:
    """What a client makes of the stream: kind and text of each block."""
    found: dict[int, tuple[str, str]] = {}
    open_blocks: set[int] = set()
    for raw in answer.split(b"\n\n")[:-1]:
        data = json.loads(raw.partition(b"data: ")[2])
        if data["type"] == "content_block_start":
            open_blocks.add(data["index"])
        elif data["type"] == "content_block_stop":
            open_blocks.remove(data["index"])
        elif data["type"] == "content_block_delta":
            assert data["index"] in open_blocks
            kind = data["delta"]["type"]
            text = next(value for name, value in data["delta"].items() if name != "type")
            found[data["index"]] = (kind, found.get(data["index"], (kind, ""))[1] + text)
    return [found[index] for index in sorted(found)]


def turned_back(kind: str, text: str) -> str:
    if kind == "thinking_delta":
        return text
    for known, secret in SECRETS.items():
        put = secret.decode()
        text = text.replace(known.decode(), json.dumps(put)[1:-1] if kind == "input_json_delta" else put)
    return text


KINDS = st.sampled_from(["text_delta", "input_json_delta", "thinking_delta"])


def same(kind: str, got: str, wanted: str) -> bool:
    """JSON may be escaped in more than one way."""
    if kind != "input_json_delta":
        return got == wanted
    unescape = lambda text: json.loads(f'["{text}"]')  # noqa: E731 - only here
    try:
        return bool(unescape(got) == unescape(wanted))
    except ValueError:
        return got.replace("\\u000a", "\\n").replace("\\u2192", "→") == wanted.replace("\\u2192", "→")


@given(st.lists(st.tuples(KINDS, TEXTS), max_size=3), st.integers(0, 2**32))
def test_the_text_comes_back_whatever_the_deltas_and_reads(blocks: list[tuple[str, str]], seed: int) -> None:
    style = random.Random(seed)
    raw = b"".join(stream(blocks, style))
    restorer = Restorer.of(SECRETS)
    out, at = [], 0
    while at < len(raw):
        size = style.choice([1, 3, 17, 60, len(raw)])
        out.append(restorer.feed(raw[at : at + size]))
        at += size
    answer = b"".join(out) + restorer.finish()
    got = heard(answer)
    wanted = [(kind, turned_back(kind, text)) for kind, text in blocks if text]
    assert [kind for kind, _ in got] == [kind for kind, _ in wanted]
    for (kind, text), (_, meant) in zip(got, wanted, strict=True):
        assert same(kind, text, meant), (text, meant)


@given(st.lists(st.tuples(KINDS, TEXT), max_size=3), st.integers(0, 2**32), st.integers(1, 50))
def test_without_placeholders_every_byte_passes_unchanged(blocks: list[tuple[str, str]], seed: int, size: int) -> None:
    raw = b"".join(stream([(kind, text.replace("r", "R")) for kind, text in blocks], random.Random(seed)))
    restorer = Restorer.of(SECRETS)
    passed = b"".join(restorer.feed(raw[at : at + size]) for at in range(0, len(raw), size))
    assert passed + restorer.finish() == raw
    assert restorer.restored == 0


@given(st.binary(max_size=200), st.integers(1, 40))
def test_what_is_no_stream_passes_as_it_came(raw: bytes, size: int) -> None:
    restorer = Restorer.of(SECRETS)
    passed = b"".join(restorer.feed(raw[at : at + size]) for at in range(0, len(raw), size))
    assert passed + restorer.finish() == raw
    assert Restorer.of(SECRETS).whole(raw) == raw


@given(TEXTS, TEXTS, TEXTS)
def test_whole_answers_come_back_in_text_and_input_alone(text: str, given_: str, thinking: str) -> None:
    message = {
        "id": "m",
        "content": [
            {"type": "thinking", "thinking": thinking, "signature": KNOWN[0].decode()},
            {"type": "text", "text": text},
            {"type": "tool_use", "name": "Write", "input": {"content": [given_, {"x": 1}]}},
        ],
    }
    answer = json.loads(Restorer.of(SECRETS).whole(json.dumps(message).encode()))
    message["content"][1]["text"] = turned_back("text_delta", text)  # type: ignore[index]
    message["content"][2]["input"]["content"][0] = turned_back("text_delta", given_)  # type: ignore[index]
    assert answer == message


def test_a_placeholder_is_held_no_longer_than_it_may_be_one() -> None:
    restorer = Restorer.of(SECRETS)
    restorer.feed(event("content_block_delta", index=0, delta={"type": "text_delta", "text": "see red"}))
    passed = restorer.feed(event("content_block_delta", index=0, delta={"type": "text_delta", "text": " wine"}))
    assert heard_text(passed) == "red wine"
    assert len(KNOWN[0]) == SIZE


def heard_text(answer: bytes) -> str:
    return "".join(text.decode() for _, what, _, text in events(answer)[0] if what == "text")


def test_half_a_surrogate_pair_stays_what_it_was() -> None:
    raw = event("content_block_delta", index=0, delta={"type": "text_delta", "text": KNOWN[0].decode() + "\ud83d"})
    passed = Restorer.of(SECRETS).feed(raw)
    assert json.loads(passed.partition(b"data: ")[2])["delta"]["text"] == "AKIA0123456789ABCDEF\ud83d"


def test_events_are_cut_and_given_another_text() -> None:
    raw = event("content_block_delta", index=3, delta={"type": "text_delta", "text": "a"})
    found, rest = events(raw + b"event: pi")
    assert found == [(raw, "text", 3, b"a")] and rest == b"event: pi"
    assert events(with_text(raw, b'"\n'))[0][0][3] == b'"\n'
