"""Marks for the provider's prompt cache under a hard budget: written tokens are dearer, and the cap is a cap all the
same. What the provider billed, by its own log, is what was charged, and never above the ceiling."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fastgate._core.request import read_request
from fastgate._core.usage import Usage
from fastgate.bound import bound_nano
from fastgate.routing.marks import with_breakpoints, with_hour
from tests.gateway.test_budgets import HAIKU, PAUSE, House, body
from tests.support.burst import BOOK, billed
from tests.support.gateway import serving
from tests.support.plane import LIMITS
from tests.support.sim import running

CEILING_USD = 0.02

CONFIG = """\
cache: {exact: {enabled: false}, prompt: {breakpoints: true, hour: true}}
limits: {budget_wait_ms: 200, min_output_tokens: 100}
"""

BUDGETS = f"""\
budgets:
  - {{id: marked, level: tag, of: "session=marked", org: acme, period: day, usd: {CEILING_USD}, {PAUSE}}}
"""

SYSTEM = "You are careful. " * 400


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with (
        running(tmp_path_factory.mktemp("sim")) as simulator,
        serving(tmp_path_factory.mktemp("gw"), simulator.url, 1, more=CONFIG, budgets=BUDGETS) as gateway,
    ):
        yield House(gateway, simulator)


def test_a_marked_session_stays_under_its_ceiling(house: House) -> None:
    said: list[dict[str, Any]] = []
    answered = 0
    for turn in range(80):
        said.append({"role": "user", "content": f"turn {turn}: " + "more to read, " * 60})
        answer = house.send("marked", 300, model=HAIKU, system=SYSTEM, messages=said)
        if answer.status != 200:
            assert answer.status == 429
            break
        answered += 1
        said.append({"role": "assistant", "content": f"answer {turn}"})
    else:
        raise AssertionError("the budget never ended")
    calls = house.upstream("marked", answered)
    marked = [call for call in calls if b"cache_control" in house.simulator.body(call)]
    assert len(marked) == answered - 2, "from the third call on"
    assert all(call.started.usage.cache_write_5m_tokens > 0 for call in marked)
    assert house.settled("marked", billed(calls)) <= CEILING_USD * 10**9
    shown = house.gateway.cli("cache", "sessions", "--json").json["items"][0]
    assert (shown["session"], shown["calls"], shown["placed"]) == ("marked", answered + 1, len(marked))
    assert float(shown["placed_saves"]) > 0


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=80)


@given(st.lists(TEXTS, min_size=1, max_size=6), st.integers(1, 4000), st.booleans())
def test_the_bound_counts_the_dearest_writing(texts: list[str], max_tokens: int, hour: bool) -> None:
    """Every byte a token, every token written for an hour: no mark that is placed can cost more than is held."""
    said = [{"role": "user" if n % 2 == 0 else "assistant", "content": text} for n, text in enumerate(texts)]
    if len(said) % 2 == 0:
        said.pop()
    plain = body("s", max_tokens, model=HAIKU, system=SYSTEM, messages=said)
    marked = with_breakpoints(plain, read_request(plain))
    assume(marked is not None)  # a block of white space alone takes none
    if hour:
        assert marked is not None
        marked = with_hour(marked, read_request(marked))
    assert marked is not None
    row = BOOK.row("anthropic", HAIKU)
    request = read_request(marked)
    dearest = Usage.of(cache_write_1h_tokens=request.text_bytes, output_tokens=max_tokens)
    assert bound_nano(request, row, max_tokens, LIMITS) >= row.cost(dearest)
