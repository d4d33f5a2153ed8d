"""Laws of the warmth table: what it says is what finished calls stated, whoever asks, until it is cold."""

from __future__ import annotations

import multiprocessing
import tempfile
from pathlib import Path
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from fastgate._core.usage import Usage
from fastgate._core.warmth import Conversation, WarmthTable, hash_of
from tests.model import warmth as model

S = model.S
START = 1_800_000_000 * S
AGENTS = ("", "a1")
PLACES = tuple(hash_of(name) for name in ("anthropic-a", "bedrock/2"))
MODELS = ("claude-opus-5-5", "claude-haiku-4-5")
SYSTEMS = (6000, 200)
COUNTS = st.one_of(st.just(0), st.integers(0, 200_000))


class Learned(NamedTuple):
    session: str
    agent: str
    request_class: str
    place: int
    model: str
    system: int
    body_bytes: int
    after_ns: int
    tokens: model.Tokens | None


TOKENS = st.builds(model.Tokens, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, st.booleans())
CALLS = st.builds(
    Learned,
    st.sampled_from(("s1", "s2", "")),
    st.sampled_from(AGENTS),
    st.sampled_from((*model.CLASSES, "of tomorrow")),
    st.sampled_from(PLACES[:1] + PLACES),
    st.sampled_from(MODELS[:1]),
    st.sampled_from(SYSTEMS),
    st.integers(1, 2_000_000),
    st.one_of(st.integers(0, 20 * S), st.integers(0, 2 * 3600 * S)),
    st.one_of(st.none(), TOKENS, TOKENS, TOKENS),
)


def stated(tokens: model.Tokens | None) -> Usage | None:
    if tokens is None:
        return None
    return Usage.of(
        input_tokens=tokens.input,
        output_tokens=tokens.output,
        cache_write_5m_tokens=tokens.write_5m,
        cache_write_1h_tokens=tokens.write_1h,
        cache_read_tokens=tokens.read,
        us_geo=tokens.us_geo,
    )


def teach(table: WarmthTable, call: Learned, now_ns: int) -> None:
    where = (call.place, call.model, call.system)
    usage = stated(call.tokens)
    table.learn("key", call.session, call.agent, call.request_class, *where, call.body_bytes, now_ns, usage)


def same(found: Conversation | None, known: model.Known | None, now_ns: int) -> None:
    if known is None:
        assert found is None
        return
    assert found is not None
    assert (found.home, found.used_ns, found.pace_ms) == (known.home, known.used_ns, known.pace_ms)
    assert (found.caches, found.hour, found.us_geo) == (known.caches, known.hour, known.us_geo)
    assert found.learned == (known.prompt_tokens > 0)
    for place in PLACES:
        for name in MODELS:
            for system in SYSTEMS:
                where = (place, name, system)
                assert found.warm(*where, now_ns) == known.warm(where, now_ns)
                assert found.warm_until(*where, now_ns) == known.warm_until(where, now_ns)
    if known.prompt_tokens:
        assert found.prompt_tokens(10_000) == 10_000 * known.prompt_tokens // known.body_bytes
    else:
        assert found.prompt_tokens(10_001) == 2501


@settings(deadline=None)
@given(st.lists(CALLS, max_size=25), st.integers(0, 2 * 3600 * S))
def test_it_says_what_the_twin_says(calls: list[Learned], later_ns: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        table, twin, now_ns = WarmthTable.open(Path(folder) / "warmth", 64), model.Warmth(), START
        for call in calls:
            now_ns += call.after_ns
            teach(table, call, now_ns)
            where = (call.place, call.model, call.system)
            who = ("key", call.session, call.agent)
            twin.learn(who, call.request_class, where, call.body_bytes, now_ns, call.tokens)
        again = WarmthTable.open(Path(folder) / "warmth", 64)  # another worker, or this one after a restart
        for reader in (table, again):
            for session in ("s1", "s2", "", "s3"):
                for agent in AGENTS:
                    who = ("key", session, agent)
                    same(reader.find(*who), twin.known.get(who), now_ns + later_ns)
                    for named in model.CLASSES:
                        expected = twin.expected_output(who, named)
                        assert reader.expected_output(reader.find(*who), named) == expected


def one(tokens: model.Tokens, session: str = "s", place: int = PLACES[0]) -> Learned:
    return Learned(session, "", "main", place, MODELS[0], SYSTEMS[0], 4000, 0, tokens)


def test_a_clock_that_was_set_back_makes_nothing_warm_for_longer(tmp_path: Path) -> None:
    table = WarmthTable.open(tmp_path / "warmth", 64)
    teach(table, one(model.Tokens(write_1h=1000)), START)
    found = table.find("key", "s", "")
    assert found is not None
    where = (PLACES[0], MODELS[0], SYSTEMS[0])
    assert found.warm(*where, START + S) == 1000
    assert found.warm(*where, START - S) == 0 == found.warm_until(*where, START - S)
    teach(table, one(model.Tokens(write_5m=10)), START - 10 * 3600 * S)
    found = table.find("key", "s", "")
    assert found is not None and found.used_ns == START - 10 * 3600 * S


def test_who_was_not_heard_of_for_longest_makes_room(tmp_path: Path) -> None:
    table = WarmthTable.open(tmp_path / "warmth", 8)  # one set
    for number in range(8):
        teach(table, one(model.Tokens(write_5m=10), f"s{number}"), START + number * S)
    teach(table, one(model.Tokens(write_5m=10), "s0"), START + 60 * S)
    teach(table, one(model.Tokens(write_5m=10), "s8"), START + 61 * S)
    left = [number for number in range(9) if table.find("key", f"s{number}", "") is not None]
    assert left == [0, 2, 3, 4, 5, 6, 7, 8]


def test_of_one_conversation_the_place_that_cools_first_makes_room(tmp_path: Path) -> None:
    table = WarmthTable.open(tmp_path / "warmth", 8)
    places = [hash_of(f"e{number}") for number in range(model.PLACES_KEPT + 1)]
    for number, place in enumerate(places):
        teach(table, one(model.Tokens(write_5m=100), place=place), START + number * S)
    found = table.find("key", "s", "")
    assert found is not None
    warm = [found.warm(place, MODELS[0], SYSTEMS[0], START + 10 * S) for place in places]
    assert warm == [0, *[100] * model.PLACES_KEPT]


def test_a_file_that_is_no_table_is_replaced_and_who_has_it_mapped_keeps_it(tmp_path: Path) -> None:
    table = WarmthTable.open(tmp_path / "warmth", 64)
    teach(table, one(model.Tokens(write_5m=10)), START)
    larger = WarmthTable.open(tmp_path / "warmth", 128)
    assert larger.find("key", "s", "") is None and table.find("key", "s", "") is not None
    (tmp_path / "other").write_bytes(b"not a table at all" * 1000)
    assert WarmthTable.open(tmp_path / "other", 64).find("key", "s", "") is None


def hammer(path: str, worker: int) -> None:
    table = WarmthTable.open(path, 8)
    for number in range(20_000):
        call = one(model.Tokens(write_5m=worker * 1_000_000 + 1), f"s{number % 12}", PLACES[worker % 2])
        teach(table, call, START + number * S)


def test_workers_that_write_at_once_leave_figures_that_somebody_wrote(tmp_path: Path) -> None:
    path = str(tmp_path / "warmth")
    WarmthTable.open(path, 8)
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=hammer, args=(path, worker)) for worker in (1, 2)]
    for process in workers:
        process.start()
    for process in workers:
        process.join(60)
        assert process.exitcode == 0
    table = WarmthTable.open(path, 8)
    now_ns, seen = START + 20_000 * S, 0
    for number in range(12):
        found = table.find("key", f"s{number}", "")
        if found is not None:
            warm = {found.warm(place, MODELS[0], SYSTEMS[0], now_ns) for place in PLACES}
            assert warm <= {0, 1_000_001, 2_000_001}
            assert found.home in PLACES
            seen += 1
    assert seen >= 6
