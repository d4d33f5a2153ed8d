"""Asking a vendor: texts in parts, deadlines, a circuit that opens, and a classifier that runs here."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate.guards.adapters import breaker as breakers
from fastgate.guards.adapters.adapter import PARTS_MAX, Adapter, merged, parts
from fastgate.guards.adapters.breaker import Breaker
from fastgate.guards.adapters.presidio import Presidio
from fastgate.guards.adapters.prompt_guard import STRIDE, WINDOW, PromptGuard, windows
from fastgate.guards.adapters.verdict import PASS, Span, flagged, not_scanned
from tests.support.guard_vendors import Received, stub

TEXT = "mail jo@corp.net now"


@given(st.text(max_size=400), st.integers(1, 60))
def test_parts_are_the_text(text: str, most: int) -> None:
    cut = list(parts(text, most))
    assert "".join(part for _, part in cut) == text
    assert all(len(part) <= most and text[at : at + len(part)] == part for at, part in cut)


async def test_a_long_text_is_cut_asked_about_together_and_put_together() -> None:
    def reply(came: Received) -> tuple[int, Any]:
        text = came.body["text"]
        at = text.find("XX")
        return 200, [] if at < 0 else [{"entity_type": "X", "start": at, "end": at + 2, "score": 1.0}]

    text = ("word " * 30) + "XX " + ("more " * 40) + "XX"
    async with stub(reply) as server:
        found = await Adapter(Presidio(server.url, part_chars=50), parallel=3).screen(text)
        assert [text[span.start : span.end] for span in found.spans] == ["XX", "XX"]
        assert "".join(sorted((came.body["text"] for came in server.received), key=text.find)) != ""
        assert sum(len(came.body["text"]) for came in server.received) == len(text)
        assert 1 < server.most_together <= 3


async def test_a_text_of_too_many_parts_is_not_scanned_at_all() -> None:
    async with stub(lambda _: (200, [])) as server:
        found = await Adapter(Presidio(server.url, part_chars=10)).screen("x" * 10 * (PARTS_MAX + 1))
        assert found.outcome == "not_scanned" and not server.received


def test_one_part_that_is_not_scanned_spoils_a_pass_but_hides_no_flag() -> None:
    away = not_scanned("away")
    assert merged([(0, "a", PASS), (1, "b", away)]) == away
    both = merged([(0, "ab", PASS), (2, "cd", flagged("x", spans=(Span(0, 1, "x"),))), (4, "e", away)])
    assert (both.outcome, both.spans, both.text, both.why) == ("flag", (Span(2, 3, "x"),), None, "away")
    assert merged([(0, "ab ", PASS), (3, "cd", flagged("x", text="##"))]).text == "ab ##"


async def test_silence_ends_at_the_deadline() -> None:
    async with stub(lambda _: None) as server:
        found = await Adapter(Presidio(server.url), timeout_s=0.05).screen(TEXT)
    assert found.outcome == "not_scanned" and "0.05 s" in found.why


async def test_a_vendor_that_fails_is_left_alone_and_then_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0]
    monkeypatch.setattr(breakers, "boot_ns", lambda: now[0])
    status = [500]
    async with stub(lambda _: (status[0], [])) as server:
        adapter = Adapter(Presidio(server.url))
        for _ in range(breakers.FAILURES + 3):
            assert (await adapter.screen(TEXT)).outcome == "not_scanned"
        assert len(server.received) == breakers.FAILURES
        now[0] += breakers.OPEN_S * 1_000_000_000
        assert (await adapter.screen(TEXT)).outcome == "not_scanned"
        assert (await adapter.screen(TEXT)).outcome == "not_scanned"
        assert len(server.received) == breakers.FAILURES + 1
        status[0] = 200
        now[0] += breakers.OPEN_S * 1_000_000_000
        assert await adapter.screen(TEXT) == PASS
        assert await adapter.screen(TEXT) == PASS


def test_one_call_tries_a_circuit_that_is_half_open() -> None:
    circuit = Breaker()
    for _ in range(breakers.FAILURES):
        assert circuit.allows()
        circuit.failed()
    assert not circuit.allows()
    circuit.open_until_ns = 0
    assert circuit.allows() and not circuit.allows()


async def test_nobody_listens() -> None:
    found = await Adapter(Presidio("http://127.0.0.1:9")).screen(TEXT)
    assert found.outcome == "not_scanned" and "no connection" in found.why


@given(st.integers(1, 3_000))
def test_windows_cover_all_tokens_and_overlap(count: int) -> None:
    cut = windows(range(count))
    assert {token for part in cut for token in part} == set(range(count))
    assert all(len(part) <= WINDOW for part in cut)
    assert all(later[0] <= earlier[0] + STRIDE for earlier, later in itertools.pairwise(cut))


class _Tokens:
    def encode(self, text: str) -> Any:
        return type("Encoded", (), {"ids": list(range(len(text)))})


class _Session:
    def run(self, _names: None, feed: dict[str, Any]) -> Any:
        ids = feed["input_ids"][0]
        assert len(ids) <= WINDOW and feed["attention_mask"] == [[1] * len(ids)]
        return [[[0.0, 5.0 if 700 in ids else -5.0]]]


async def test_a_local_classifier_reads_every_window() -> None:
    guard = PromptGuard(Path("model.onnx"), Path("tokenizer.json"))
    guard._loaded = (_Session(), _Tokens(), list)
    assert await guard.screen("x" * 600) == PASS
    assert await guard.screen("x" * 900) == flagged("malicious")
    assert (await guard.screen("x" * 40_000)).outcome == "not_scanned"


async def test_without_its_packages_or_files_the_classifier_scans_nothing(tmp_path: Path) -> None:
    found = await PromptGuard(tmp_path / "no.onnx", tmp_path / "no.json").screen(TEXT)
    assert found.outcome == "not_scanned" and found.why
