"""YAML to nodes: what is refused, and that every node knows its line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate.tree import ConfigErrors, Node, find, parse, parse_path, show_path

# YAML has no surrogates, control characters or non-characters, and folds the Unicode line breaks.
scalars = st.text(st.characters(exclude_characters="\ufeff", exclude_categories=["C", "Zl", "Zp"]))
trees = st.recursive(scalars, lambda kids: st.lists(kids) | st.dictionaries(scalars, kids), max_leaves=20)


def plain(node: Node) -> object:
    if node.kind == "scalar":
        return node.text
    if node.kind == "list":
        return [plain(item) for item in node.items]
    return {name: plain(child) for name, (_, child) in node.entries.items()}


def refusal(data: bytes) -> str:
    with pytest.raises(ConfigErrors) as caught:
        parse(data, "f.yaml")
    return str(caught.value)


@given(st.dictionaries(scalars, trees, min_size=1))
def test_json_is_read_as_it_is(value):
    root, problems = parse(json.dumps(value, ensure_ascii=False).encode(), "f.yaml")
    assert plain(root) == value
    assert problems == []


@given(st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), min_size=1, unique=True), st.integers(0, 5))
def test_every_value_knows_its_line(keys, blank):
    text = ("\n" * blank).join(f"{key}: v\n" for key in keys)
    root, _ = parse(text.encode(), "f.yaml")
    lines = text.split("\n")
    for key in keys:
        assert lines[find(root, (key,)).line - 1].startswith(f"{key}:")


def test_a_reference_stands_anywhere_also_inside_flow_mappings():
    root, _ = parse(b'a: {b: ${X}, c: [p${Y}q, "${Z}"]}\nd: ${W}', "f.yaml")
    assert plain(root) == {"a": {"b": "${X}", "c": ["p${Y}q", "${Z}"]}, "d": "${W}"}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "f.yaml: empty; a mapping is expected"),
        (b"# only\n---\n", "empty"),
        (b"\xef\xbb\xbfa: 1", "byte order mark"),
        ("a: 1".encode("utf-16"), "byte order mark"),
        (b"a: 1\nb: \xff", "f.yaml: not UTF-8 at byte 8 (line 2)"),
        (b"a: 1\nb:\n\tc: 1", "f.yaml:3: a tab; YAML is indented with spaces"),
        (b"- a", "f.yaml:1: a mapping is expected, this is a list"),
        (b"word", "this is a scalar"),
        (b"a: [1", "not YAML"),
        (b"a: 1\n---\nb: 2", "f.yaml:2: a second document"),
        (b"a: !!python/object/apply:os.system [x]", "is not used here"),
        (b"? [a]\n: 1", "a key must be plain text"),
        (b"a: *x", "names no anchor"),
        (b"a: &x [*x]", "names no anchor"),
        (b"a: \x00", "not YAML"),
        (b"a: " + b"[" * 40 + b"]" * 40, "nested deeper than 32 levels"),
        ("a: \ue001".encode(), "private-use"),
    ],
)
def test_what_is_not_accepted_is_named(data, message):
    assert message in refusal(data)


def test_aliases_work_but_cannot_blow_up():
    root, _ = parse(b"a: &x {b: 1}\nc: *x", "f.yaml")
    assert plain(root) == {"a": {"b": "1"}, "c": {"b": "1"}}
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
    )
    assert "aliases expand this file" in refusal(bomb.encode())


def test_every_duplicate_key_is_reported_with_its_first_line():
    _, problems = parse(b"a: 1\nb: {c: 1, c: 2}\na: 3\n", "f.yaml")
    assert [str(problem) for problem in problems] == [
        "f.yaml:2: b.c: given twice; first on line 2",
        "f.yaml:3: a: given twice; first on line 1",
    ]


@given(st.lists(st.integers(0, 999) | st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)))
def test_paths_are_shown_reversibly(parts):
    assert parse_path(show_path(tuple(parts))) == tuple(parts)
