"""Vendors by name: what a row of the configuration may tell them, where their keys come from, what the docs say."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate._core.blocks import read_blocks
from fastgate.guards import outside
from fastgate.guards.adapters.adapter import Adapter, merged
from fastgate.guards.adapters.client import Client
from fastgate.guards.adapters.vendors import REDACTING, VENDORS, adapter_of, settings_of
from fastgate.guards.adapters.verdict import Span, flagged
from fastgate.guards.beside import INLINE_BYTES
from fastgate.guards.media import media_of
from fastgate.guards.outside import Outside, around_own, flags_of
from fastgate.guards.placeholders import PREFIX, Placeholders
from fastgate.guards.rewriting import changes
from fastgate.guards.rows import check, split
from fastgate.guards.rule import RuleError
from fastgate.guards.screen import Screened
from fastgate.snapshot import GuardRow, KeyRow
from tests.support.guard_vendors import Received, stub

ROOT = Path(__file__).resolve().parents[3]
WHO = KeyRow(b"", "key", "user", "team", "org", "", {}, (), 0)


def row(use: str, action: str = "log", **changes: Any) -> GuardRow:
    return GuardRow(use, action, **changes)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (row("lakara"), "no guard is called lakara; there are: answer-schema, "),
        (row("lakera"), "lakera needs api_key or credentials"),
        (row("webhook"), "webhook needs url"),
        (row("presidio", url="http://p", api_key="k"), "presidio takes no api_key or credentials"),
        (row("lakera", api_key="k", settings={"projekt": "x"}), "lakera has no setting projekt; it has: project"),
        (row("bedrock-guardrails", settings={"region": "eu-west-1"}), "bedrock-guardrails needs settings: guardrail"),
        (
            row("azure-prompt-shields", "redact", url="http://p", api_key="k"),
            "says whether something is found, not where",
        ),
        (
            row("prompt-guard", settings={"model": "m", "tokenizer": "t"}, on=("user_text", "answer_text")),
            "prompt-guard judges what is asked: answer_text cannot be",
        ),
        (row("lakera", api_key="k", severity={"high": "block"}), "has neither rules nor severities of ours"),
        (row("presidio", url="http://p", settings={"score": "high"}), "presidio: settings: score: Expected `float`"),
        (row("secrets", api_key="k"), "secrets asks nobody"),
        (row("secrets", timeout_ms=5), "secrets asks nobody"),
    ],
)
def test_what_a_row_cannot_say(wrong: GuardRow, says: str) -> None:
    with pytest.raises(RuleError, match=says.replace("(", r"\(")):
        check(wrong)


def test_rows_of_vendors_are_told_apart() -> None:
    ours, theirs = split([row("secrets"), row("lakera", api_key="k"), row("nothing")])
    assert [each.use for each in ours] == ["secrets", "nothing"] and [each.use for each in theirs] == ["lakera"]


@pytest.mark.parametrize("wrong", [row("lakera", api_key="${GONE}"), row("openai-moderation", api_key="sk-${GONE}")])
def test_a_variable_that_is_not_set_is_named(wrong: GuardRow) -> None:
    with pytest.raises(RuleError, match="GONE"):
        adapter_of(wrong, {}, Client())


async def test_a_key_from_a_command_is_renewed_and_its_absence_is_no_pass(tmp_path: Path) -> None:
    def reply(came: Received) -> tuple[int, Any]:
        return (200, {"flagged": False}) if came.headers["authorization"] == "Bearer first" else (403, {})

    key = tmp_path / "key"
    key.write_text("first")
    async with stub(reply) as server:
        made = row("lakera", url=server.url, command=("cat", str(key)))
        adapter = adapter_of(made, {}, Client())
        assert isinstance(adapter, Adapter)
        assert (await adapter.screen("text")).outcome == "pass"
        none = adapter_of(row("lakera", url=server.url, command=("false",)), {}, Client())
        verdict = await none.screen("text")
        assert verdict.outcome == "not_scanned" and "ended with status 1" in verdict.why


async def test_connections_are_kept_and_one_that_was_closed_is_replaced() -> None:
    """The stub closes after each answer without saying so, as a balancer does that restarts."""
    async with stub(lambda _: (200, {"outcome": "pass"})) as server:
        adapter = adapter_of(row("webhook", url=server.url), {}, Client())
        for _ in range(3):
            assert (await adapter.screen("text")).outcome == "pass"


@given(st.text("ab 12.", max_size=60), st.text("ab 12.", max_size=60))
def test_what_did_not_change_is_in_both_texts(before: str, after: str) -> None:
    at, kept = 0, []
    for start, end in changes(before, after):
        assert at <= start < end <= len(before)
        kept.append(before[at:start])
        at = end
    left = iter(after)
    assert all(letter in left for letter in "".join([*kept, before[at:]])), "in that order"


def test_of_a_rewritten_text_what_is_gone_is_meant() -> None:
    text = "mail jo@corp.net now: é"
    (flag,) = flags_of(flagged("pii", text="mail [EMAIL] now: é"), text)
    assert text.encode()[flag.start : flag.end] == b"jo@corp.net" and not flag.whole
    (flag,) = flags_of(flagged("e", spans=(Span(22, 23, "e"),)), text)
    assert text.encode()[flag.start : flag.end] == "é".encode()
    assert flags_of(flagged("bad"), "é")[0] == ("bad", 0, 2, True)


def test_a_category_without_a_place_is_not_lost_beside_one_that_has_one() -> None:
    card = (Span(0, 4, "card"),)
    expected = (("card", 0, 4, False), ("injection", 0, 6, True))
    assert flags_of(flagged("injection", "card", spans=card), "1234 x") == expected
    rewritten = flags_of(flagged("card", "injection", text="# x"), "1234 x")
    assert rewritten == (("card", 0, 6, True), ("injection", 0, 6, True)), "whose place is the change?"
    parted = merged([(0, "1234 ", flagged("card", spans=card)), (5, "x", flagged("card"))])
    assert flags_of(parted, "1234 x") == (("card", 0, 4, False), ("card", 0, 6, True))
    mixed = merged([(0, "1234 ", flagged("card", spans=card)), (5, "x", flagged("card", text="y"))])
    assert flags_of(mixed, "1234 x")[-1] == ("card", 0, 6, True)


def test_placeholders_are_never_hidden_again() -> None:
    own = PREFIX + b"a" * 20
    text = b"Jo " + own + b" Doe"
    assert [text[start:end] for start, end in around_own(text, 0, len(text))] == [b"Jo ", b" Doe"]
    assert list(around_own(own, 0, len(own))) == []


def test_media_are_found_wherever_they_may_stand() -> None:
    image = b'{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}}'
    inside = b'{"type":"tool_result","tool_use_id":"t","content":[%b]}' % image
    link = b'{"type":"image","source":{"type":"url","url":"https://x.example"}}'
    said = b'{"messages":[{"role":"user","content":[%b,%b,%b]},{"role":"user","content":"x"}]}' % (image, inside, link)
    assert [(medium.path, medium.data) for medium in media_of(said)] == [
        ("messages[0].content[0]", "AA=="),
        ("messages[0].content[1].content[0]", "AA=="),
        ("messages[0].content[2]", ""),
    ]


@pytest.mark.parametrize("size", [10, INLINE_BYTES + 1])
async def test_a_large_body_is_read_beside_the_event_loop(monkeypatch: Any, size: int) -> None:
    threads = []
    monkeypatch.setattr(
        outside, "read_blocks", lambda *args: threads.append(threading.get_ident()) or read_blocks(*args)
    )
    text = "a" * size
    said = b'{"messages":[{"role":"user","content":"%b"}]}' % text.encode()
    async with stub(lambda _: (200, {"outcome": "pass"})) as server:
        asked = Outside([row("webhook", url=server.url)], {}, Placeholders(b"p" * 32))
        screened = await asked.screen(Screened(said, "pass"), WHO, 0, ())
    assert screened.state == "pass" and len(threads) == 1
    assert (threads[0] == threading.get_ident()) == (size <= INLINE_BYTES)


def test_the_page_of_vendors_has_each_with_its_settings() -> None:
    lines = (ROOT / "docs" / "guard-vendors.md").read_text().splitlines()
    rows = {
        line.split("`")[1]: line
        for line in lines
        if line.startswith("| `") and line.count("|") == 8 and "| asks |" not in line
    }
    assert set(rows) == set(VENDORS)
    for use, line in rows.items():
        for name, (_, required) in settings_of(use).items():
            assert f"`{name}`{' (needed)' if required else ''}" in line, (use, name)
        assert ("| yes |" in line) == (use in REDACTING), use
