"""Sightings: a file that was shown whole is found by its own digest, however the tool showed it."""

from __future__ import annotations

import hashlib
import json

from hypothesis import given
from hypothesis import strategies as st

from fastgate._core.blocks import read_blocks
from fastgate.guards.rule import KINDS
from fastgate.guards.screen import Guards
from fastgate.guards.sightings import MARK_BYTES, digests, key_of, mark_of
from fastgate.snapshot import GuardRow, KeyRow

PEPPER = b"p" * 32
KEY = key_of(PEPPER)
ANN = KeyRow(b"d", "k", "ann", "t", "acme", "", {}, (), 0)
BOB = KeyRow(b"d", "k", "bob", "t", "acme", "", {}, (), 0)

lines = st.lists(st.text(st.characters(exclude_characters="\n\r", codec="utf-8"), max_size=12), min_size=1, max_size=8)


def reading(content: object, tool: str = "Read", **told: object) -> bytes:
    """A conversation in which a tool's result is the content."""
    use = {"type": "tool_use", "id": "t1", "name": tool, "input": told}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": content}
    messages = [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    return json.dumps({"system": "be good", "messages": messages}).encode()


def guards() -> Guards:
    return Guards([GuardRow("limits", "log")], PEPPER)


def marks_of(body: bytes) -> list[bytes]:
    (seen,) = guards().screen(body, ANN, 0).sightings
    return [seen[2][at : at + MARK_BYTES] for at in range(0, len(seen[2]), MARK_BYTES)]


@given(lines, st.booleans(), st.sampled_from(["{}\t{}", "{:6d}\N{RIGHTWARDS ARROW}{}"]), st.booleans())
def test_a_file_is_found_by_its_digest_as_it_is_read(said: list[str], ended: bool, form: str, reminded: bool) -> None:
    file = "\n".join(said) + "\n" * ended
    shown = "\n".join(form.format(n, line) for n, line in enumerate(file.split("\n"), 1))
    if reminded:
        shown += "\n\n<system-reminder>\nMind the gap.\n</system-reminder>\n"
    marks = marks_of(reading(shown, file_path="/home/ann/x.py"))
    assert mark_of(KEY, hashlib.sha256(file.encode()).digest()) in marks


@given(lines, st.booleans())
def test_what_a_command_prints_is_found_without_its_last_line_feed(said: list[str], ended: bool) -> None:
    file = ("\n".join(said) + "\n" * ended).encode()
    assert hashlib.sha256(file).digest() in digests(file)
    assert hashlib.sha256(file).digest() in digests(file.removesuffix(b"\n"))


def test_paths_are_those_that_tools_were_told_to_read() -> None:
    def path(tool: str, **told: object) -> str:
        ((_, found, _),) = guards().screen(reading("text", tool, **told), ANN, 0).sightings
        return found

    assert path("Read", file_path="/a/b.py", offset=3) == "/a/b.py"
    assert path("mcp__files__read_file", path="c.py") == "c.py"
    assert path("NotebookRead", notebook_path="/n.ipynb") == "/n.ipynb"
    assert path("Grep", path="/src") == path("Read", file_path=7) == path("Bash", command="cat x") == ""


def test_a_text_is_new_once_for_each_user_and_nothing_of_it_is_kept() -> None:
    judged = guards()
    first = judged.screen(reading("the launch code", file_path="/x"), ANN, 0).sightings
    assert [KINDS[kind] for kind, _, _ in first] == ["tool_result"], (
        "neither the system prompt nor what the model wrote"
    )
    assert judged.screen(reading("the launch code", file_path="/x"), ANN, 0).sightings == ()
    assert judged.screen(reading("the launch code", file_path="/x"), BOB, 0).sightings == first
    assert hashlib.sha256(b"the launch code").digest() not in first[0][2]


def test_blocks_of_another_seed_are_new() -> None:
    judged = guards()
    body = reading("text")
    for block in read_blocks(body, judged.memo, seed=1).noted:
        judged.memo.note(block.mark, ())
    assert not read_blocks(body, judged.memo, seed=1).noted
    assert len(read_blocks(body, judged.memo, seed=2).noted) == len(read_blocks(body, judged.memo).noted) > 0
