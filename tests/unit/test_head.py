"""Request heads: what is read, what travels upstream, what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate._core.head import HEAD_BYTES_MAX, VALUE_CHARS_MAX, HeadTooLargeError, printable, read_head

FORWARDED = ("accept", "content-type", "user-agent", "x-app", "traceparent", "tracestate", "idempotency-key")


def travels(name: str) -> bool:
    return name in FORWARDED or any(name.startswith(p) and name != p for p in ("anthropic-", "x-stainless-"))


token = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=20)
name = st.one_of(
    st.sampled_from(FORWARDED),
    st.sampled_from(["host", "x-api-key", "authorization", "connection", "transfer-encoding", "cookie", "x-appx"]),
    token,
    token.map("anthropic-".__add__),
    token.map("x-stainless-".__add__),
)
value = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=300)


@given(st.lists(st.tuples(name, value), max_size=40))
def test_only_the_allow_list_travels_in_order_and_unchanged(items: list[tuple[str, str]]) -> None:
    expected = "".join(f"{n}: {v}\r\n" for n, v in items if travels(n))
    assert read_head(items).lines == expected.encode()


@given(st.sampled_from(FORWARDED), st.text(max_size=5), st.sampled_from("\r\n\0\x1b\x7f"), st.text(max_size=5))
def test_a_control_character_in_a_forwarded_value_is_refused(n: str, before: str, bad: str, after: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        read_head([(n, before + bad + after)])


def test_what_the_gateway_reads() -> None:
    head = read_head(
        [
            ("host", "gw"),
            ("x-api-key", "k1"),
            ("authorization", "bEaReR  k2 "),
            ("x-claude-code-session-id", "s"),
            ("x-claude-code-agent-id", "a"),
            ("x-claude-code-parent-agent-id", "p"),
            ("x-claude-code-request-class", "main"),
            ("anthropic-version", "2023-06-01"),
            ("content-length", "12"),
            ("x-fastgate-tag-branch", "b"),
            ("x-agentcc-cache-ttl", "5m"),
        ]
    )
    assert (head.api_key, head.bearer, head.session, head.agent) == ("k1", "k2", "s", "a")
    assert (head.parent_agent, head.request_class, head.hosts, head.has_version) == ("p", "main", 1, True)
    assert head.content_length == 12
    assert head.own == [("x-fastgate-tag-branch", "b"), ("x-agentcc-cache-ttl", "5m")]
    assert head.lines == b"anthropic-version: 2023-06-01\r\n"


@pytest.mark.parametrize(
    ("items", "field", "expected"),
    [
        ([("authorization", "Basic abcdefgh")], "bearer", ""),
        ([("authorization", "Bearer")], "bearer", ""),
        ([("host", "a"), ("host", "b")], "hosts", 2),
        ([], "hosts", 0),
        ([("content-length", "-1")], "content_length", -2),
        ([("content-length", "9" * 30)], "content_length", -2),
        ([("content-encoding", "gzip")], "encoded", True),
        ([("content-encoding", "identity")], "encoded", False),
        ([("content-encoding", "gzip"), ("content-encoding", "identity")], "encoded", True),
        ([("transfer-encoding", "chunked")], "chunked", True),
        ([("transfer-encoding", "Chunked")], "misframed", False),
        ([("transfer-encoding", "identity, chunked")], "misframed", True),
        ([("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")], "misframed", True),
        ([("transfer-encoding", "identity"), ("transfer-encoding", "chunked")], "misframed", True),
        ([("transfer-encoding", "chunked"), ("content-length", "4")], "misframed", True),
        ([("host", "gate-way_1.example:8080")], "host_fine", True),
        ([("host", "[2001:db8::1]:8080")], "host_fine", True),
        ([("host", "")], "host_fine", False),
        ([("host", "a"), ("host", "a")], "host_fine", False),
        ([("host", "a, b")], "host_fine", False),
        ([("host", "user@a")], "host_fine", False),
        ([("host", "a/b")], "host_fine", False),
        ([("host", "h\u00f6st")], "host_fine", False),
        ([], "content_length", -1),
    ],
)
def test_edges(items: list[tuple[str, str]], field: str, expected: object) -> None:
    assert getattr(read_head(items), field) == expected


def test_large_heads_spill_and_then_stop() -> None:
    items = [("anthropic-beta", "b" * 6000)] * 3
    assert read_head(items).lines == b"".join(b"anthropic-beta: " + b"b" * 6000 + b"\r\n" for _ in range(3))
    with pytest.raises(HeadTooLargeError, match="too large"):
        read_head([("anthropic-beta", "b" * 6000)] * (HEAD_BYTES_MAX // 6000 + 1))


def test_one_long_value_is_refused_whatever_its_name() -> None:
    assert read_head([("cookie", "c" * VALUE_CHARS_MAX)]).lines == b""
    with pytest.raises(HeadTooLargeError, match="header cookie is longer"):
        read_head([("cookie", "c" * (VALUE_CHARS_MAX + 1))])


NEAR_THE_EDGES = st.text(st.sampled_from("\x00\t\n\x1f a~\x7f\x80é"), max_size=26)


@given(st.one_of(NEAR_THE_EDGES, st.text(max_size=26), st.text(st.characters(max_codepoint=127), max_size=26)))
def test_what_is_printable_is_what_python_says(text: str) -> None:
    assert printable(text) == (text.isascii() and text.isprintable())


@given(NEAR_THE_EDGES)
def test_no_control_character_but_tab_gets_through_at_any_place(value: str) -> None:
    if any((char < " " and char != "\t") or char == "\x7f" for char in value):
        with pytest.raises(ValueError, match="control character"):
            read_head([("x-app", value)])
    else:
        assert read_head([("x-app", value)]).lines == f"x-app: {value}\r\n".encode()


@given(st.one_of(st.integers(0, 10**20).map(str), st.text(st.sampled_from("0123456789 +-_x"), max_size=20)))
def test_a_length_is_digits_and_not_too_many(value: str) -> None:
    expected = int(value) if value.isdecimal() and len(value) < 19 else -2
    assert read_head([("content-length", value)]).content_length == expected
