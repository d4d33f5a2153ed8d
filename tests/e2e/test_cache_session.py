"""A real session that reads one file four times: what it paid, and what the provider's own cache saved, as measured.

No two of its requests are the same, so the gateway's cache has nothing to give; the provider's has, because every
block before the newest turn goes through as it came. What is read and written is the scripted provider's statement: a
tenth of a prompt is written on every turn.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from fastgate._core.money import format_usd
from fastgate._core.prefix import read_prefix
from fastgate._core.request import read_request
from fastgate._core.usage import Usage
from fastgate.control.prompt_cache import Prompt
from tests.support.burst import BOOK, billed
from tests.support.claude import Claude
from tests.support.gateway import Gateway, serving
from tests.support.sim import SimProcess

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.faults]


@pytest.fixture(scope="module")
def caching(upstream: SimProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    more = "cache: {semantic: {mode: 'on', namespace: session}}\n"
    with serving(tmp_path_factory.mktemp("caching"), upstream.url, workers=2, more=more) as gateway:
        yield gateway


def test_package_json_read_four_times_in_a_session(caching: Gateway, upstream: SimProcess, tmp_path: Path) -> None:
    upstream.fresh()
    claude = Claude(tmp_path, caching.url, {"ANTHROPIC_API_KEY": caching.key})
    package = claude.project / "package.json"
    package.write_text(json.dumps({"name": "shop", "version": "1.4.2"}))
    for number in range(4):
        run = claude.run(f"please edit package.json, time {number}", *(["--continue"] if number else []))
        assert run.code == 0, run
    bought = upstream.settled(16)
    assert len({call.started.session for call in bought}) == 1
    reads = [call.started.usage for call in bought]
    assert all(used.cache_read_tokens > used.input_tokens for used in reads[1:]), "its prompt cache was never broken"
    without = sum(BOOK.row("anthropic", call.started.model).cost(uncached(call.started.usage)) for call in bought)
    paid = billed(bought)
    calls = caching.cli("calls", "list", "--json", "--limit", "40").json["items"]
    assert {call["cache"] for call in calls} <= {"miss", "bypass"}
    assert sum(round(float(call["cost"]) * 10**9) for call in calls) == paid
    shown = caching.cli("cache", "sessions", "--json").json["items"][0]
    prompts = [prompt_of(upstream.body(call)) for call in bought]
    for before, now in pairwise(prompts):
        assert before.common(now) > before.marks()[-1], "what was marked stands there again, block by block"
    print(f"paid {format_usd(paid)}, without the provider's cache {format_usd(without)}, read {shown['read_ratio']}")
    assert paid < 0.5 * without
    assert float(shown["read_ratio"]) > 0.8


def prompt_of(body: bytes) -> Prompt:
    return Prompt(read_prefix(read_request(body), body))


def uncached(used: Usage) -> Usage:
    whole = used.input_tokens + used.cache_write_5m_tokens + used.cache_write_1h_tokens + used.cache_read_tokens
    return Usage.of(input_tokens=whole, output_tokens=used.output_tokens)
