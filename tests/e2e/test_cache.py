"""The real Claude Code and the cache: a repeated run is served whole, the same edits and nothing bought; `/context`
counts tokens once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fastgate.sim.scenario import EDIT_MARK
from tests.support.claude import Claude
from tests.support.gateway import Gateway, serving
from tests.support.sim import SimProcess

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def caching(upstream: SimProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with serving(tmp_path_factory.mktemp("caching"), upstream.url, workers=2, more="cache: {}\n") as gateway:
        yield gateway


@pytest.fixture
def claude(caching: Gateway, upstream: SimProcess, tmp_path: Path) -> Claude:
    upstream.fresh()
    return Claude(tmp_path, caching.url, {"ANTHROPIC_API_KEY": caching.key})


def test_a_repeated_run_is_served_whole(claude: Claude, upstream: SimProcess, caching: Gateway) -> None:
    """Same directory, home, prompt and day: read, edit, shell and report again, with no upstream call."""
    notes = claude.project / "notes.txt"
    notes.write_text("first line\nsecond line\n")
    first = claude.run("please edit notes.txt")
    edited = notes.read_text()
    assert (first.code, edited) == (0, f"first line{EDIT_MARK}\nsecond line\n"), first
    bought = len(upstream.settled(4))
    notes.write_text("first line\nsecond line\n")
    second = claude.run("please edit notes.txt")
    assert (second.code, second.out, notes.read_text()) == (0, first.out, edited), second
    assert len(upstream.calls()) == bought == 4
    calls = caching.cli("calls", "list", "--json", "--limit", "8").json["items"]
    assert sorted(call["cache"] for call in calls) == ["hit"] * 4 + ["miss"] * 4
    saved = [call["saved"] for call in calls if call["cache"] == "hit"]
    paid = [call["cost"] for call in calls if call["cache"] == "miss"]
    assert sorted(saved) == sorted(paid)
    assert {call["cost"] for call in calls if call["cache"] == "hit"} == {"0.000000000"}


def test_another_prompt_or_directory_is_another_run(claude: Claude, upstream: SimProcess, tmp_path: Path) -> None:
    assert claude.run("say something").code == 0
    assert claude.run("say something else").code == 0
    other = Claude(tmp_path / "other", claude.base_url, claude.credential)
    other.home = claude.home
    assert other.run("say something").code == 0
    assert len(upstream.settled(3)) == 3


def test_context_counts_tokens_once(claude: Claude, upstream: SimProcess) -> None:
    first = claude.run("/context")
    assert first.code == 0, first
    counted = len(upstream.calls("/v1/messages/count_tokens"))
    assert counted > 5
    second = claude.run("/context")
    assert second.code == 0, second
    assert len(upstream.calls("/v1/messages/count_tokens")) == counted
