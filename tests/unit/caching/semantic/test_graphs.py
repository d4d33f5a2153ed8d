"""Graphs on disk: whoever starts from them holds and finds what he would who reads the whole log."""

from __future__ import annotations

import asyncio
import random
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgate.caching.semantic import replay as replaying
from fastgate.caching.semantic import shelf as shelves
from fastgate.caching.semantic.folder import MANIFEST
from fastgate.caching.semantic.graphs import SUFFIX, Graphs
from fastgate.caching.semantic.local import LocalStore
from fastgate.caching.semantic.log_disk import DiskLog
from fastgate.caching.semantic.log_redis import RedisReader
from fastgate.caching.semantic.note import Verdict, pack
from fastgate.caching.semantic.notes import Notes
from fastgate.caching.semantic.replay import begin, replay, save_where_due
from tests.support.redis import redis_server
from tests.unit.caching.semantic.test_notes import DIM, HOUR_NS, note, notes, spoken, vector
from tests.unit.caching.test_tiers import blocking

SMALL = 8
"""From how many notes a shelf has a graph here."""


@pytest.fixture(autouse=True)
def small_graphs() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shelves, "FLAT_MAX", SMALL)
        patch.setattr(replaying, "SAVED_ROWS", 1)
        yield


def never() -> bool:
    return False


def read(log: Any, graphs: Graphs | None, limit: int = 1000) -> Notes:
    return replay(log, notes(limit), graphs, never)[0]


def held(made: Notes) -> list[Any]:
    """What is held, oldest first: note and place in the log; and the thresholds."""
    items = [made.shelves[place].items[label] for place, label in made._held.values()]
    found = [(item.note, item.at) for item in items]
    assert sorted(made._held) == sorted(item.note.find for item in items)
    return [found, {partition: judged.threshold for partition, judged in made.judged.items()}]


def finds(made: Notes, serial: int, org: str) -> Any:
    near = made.near(spoken(f"text of number {serial}", vector(serial), org))
    return near[0].note if near and near[0].similarity > 0.99 else None


STEP = st.tuples(
    st.sampled_from(["ask", "ask", "ask", "again", "reworded", "verdict", "expired", "purge"]),
    st.integers(0, 40),
    st.sampled_from(["acme", "other"]),
)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(STEP, min_size=1, max_size=80), st.lists(st.integers(0, 80), max_size=3), st.sampled_from([1000, 30, 5])
)
def test_graphs_and_the_rest_of_the_log_are_the_whole_log(
    steps: list[tuple[str, int, str]], saves: list[int], limit: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log, graphs = DiskLog(Path(folder) / "log", 70, DIM), Graphs(Path(folder) / "graphs")
        now_ns = time.time_ns()
        for n, (what, serial, org) in enumerate(steps):
            mine = {"org": org, "started_ns": now_ns - 10**9 + n, "find": f"{org}{serial}".encode().ljust(16)}
            if what == "verdict":
                log.append([pack(Verdict(("org", org), "", b"p%d" % serial, org, "", "", "k", "m", n, 0.9, False))])
            elif what == "purge":
                log.drop(lambda row, org=org, n=n: row.org == org and row.started_ns < now_ns - 10**9 + n - 20)
            elif what == "expired":
                log.append([pack(note(serial, expires_ns=now_ns - 5, **mine))])
            elif what == "reworded":
                row = note(serial + 100, text=f"text of number {serial + 100}", **mine)
                log.append([pack(row)])
            else:
                log.append([pack(note(serial, **mine))])
            if n in saves:
                save_where_due(log, notes(limit), graphs, never)
        whole, quick = read(log, None, limit), read(log, graphs, limit)
        if limit > 70:  # with less, what was left out when the graphs were saved is not asked for again
            assert held(quick) == held(whole)
        assert len(quick) <= limit
        for serial, org in {(serial, org) for _, serial, org in steps}:
            for n in (serial, serial + 100):
                found = finds(quick, n, org)
                assert found is None or found.text == f"text of number {n}"
                assert found == finds(whole, n, org) or limit < 70
        for org in ("acme", "other"):
            for n in range(200, 220):
                quick.take(note(n, org=org, find=f"{org}{n}".encode().ljust(16)), 0)
                assert finds(quick, n, org) is not None, "it grows on"
        log.close()


def filled(folder: Path, count: int = 60) -> tuple[DiskLog, Graphs]:
    log, graphs = DiskLog(folder / "log", 1000, DIM), Graphs(folder / "graphs")
    for n in range(count):
        log.append([pack(note(n))])
    assert save_where_due(log, notes(), graphs, never)
    return log, graphs


def test_what_a_graph_has_is_not_added_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, graphs = filled(tmp_path)
    added: list[int] = []
    add = shelves.Shelf.add
    monkeypatch.setattr(shelves.Shelf, "add", lambda *all: (added.append(1), add(*all))[1])
    log.append([pack(note(100))])
    made = read(log, graphs)
    assert (len(made), len(added)) == (61, 1)
    assert all(finds(made, n, "acme") is not None for n in range(60))
    log.close()


@pytest.mark.parametrize("serves", [False, True])
def test_a_worker_loads_them_before_it_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serves: bool) -> None:
    """hnswlib keeps the interpreter's lock meanwhile, so a thread would be no help; where calls are waited for
    already, it is a thread of its own all the same, for the bytes are proven first."""
    log, graphs = filled(tmp_path)
    loaded: list[int] = []
    load = Graphs.load
    monkeypatch.setattr(Graphs, "load", lambda *all: (loaded.append(threading.get_ident()), load(*all))[1])

    async def filled_store(store: LocalStore | None) -> None:
        store = store or LocalStore(notes(), log, asyncio.get_running_loop(), graphs)
        while not store.ready:
            await asyncio.sleep(0.005)
        assert all(finds(store.notes, n, "acme") is not None for n in range(60))
        store.close()

    loop = asyncio.new_event_loop()
    store = None if serves else LocalStore(notes(), log, loop, graphs)
    assert loaded == ([] if serves else [threading.get_ident()])
    loop.run_until_complete(asyncio.wait_for(filled_store(store), 20))
    loop.close()
    assert [by == threading.get_ident() for by in loaded] == [not serves]
    log.close()


async def test_a_large_one_is_built_beside_the_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where calls are served no graph is read that would keep them waiting: each of its points is added while the loop
    runs, questions are misses until all are there, and then they are found."""
    log, graphs = filled(tmp_path)
    monkeypatch.setattr("fastgate.caching.semantic.local.BESIDE_CALLS", 50)
    monkeypatch.setattr(shelves.Shelf, "read_graph", lambda *_: pytest.fail("it keeps the interpreter's lock"))
    loop, add, threads = asyncio.get_running_loop(), shelves.Shelf.add, set()

    def add_while_the_loop_runs(*all: Any) -> int:
        threads.add(threading.get_ident())
        turned = threading.Event()
        loop.call_soon_threadsafe(turned.set)
        assert turned.wait(20), "the loop stands still"
        return add(*all)

    monkeypatch.setattr(shelves.Shelf, "add", add_while_the_loop_runs)
    store, missed = LocalStore(notes(), log, loop, graphs), 0
    while not store.ready:
        assert finds(store.notes, 7, "acme") is None
        missed += 1
        await asyncio.sleep(0)
    assert missed >= 60
    assert threading.get_ident() not in threads
    assert all(finds(store.notes, n, "acme") is not None for n in range(60))
    assert held(store.notes) == held(await asyncio.to_thread(read, log, None))
    store.close()
    log.close()


def test_small_graphs_are_loaded_where_a_large_one_is_not(tmp_path: Path) -> None:
    log, graphs = filled(tmp_path)
    for n in range(20):
        log.append([pack(note(n + 300, org="small"))])
    assert save_where_due(log, notes(), graphs, never)
    begun = begin(notes(), graphs, 30)
    assert {scope for scope, _ in begun[0].shelves} == {("org", "small")}
    assert held(replay(log, notes(), graphs, never, begun)[0]) == held(read(log, None))
    log.close()


def test_a_graph_of_another_log_that_was_loaded_early_is_built_again(tmp_path: Path) -> None:
    log, graphs = filled(tmp_path)
    log.close()
    log = DiskLog(tmp_path / "anew", 1000, DIM)
    for n in range(50):
        log.append([pack(note(n + 500))])
    begun = begin(notes(), graphs)
    assert begun[1] is not None
    assert held(replay(log, notes(), graphs, never, begun)[0]) == held(read(log, None))
    assert not (graphs.directory / MANIFEST).exists()
    log.close()


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("what", ["graph", "manifest", "no graph", "short manifest", "another log", "rows of another"])
def test_what_is_not_what_was_written_is_built_again(
    tmp_path: Path, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    log, graphs = filled(tmp_path)
    (graph,) = graphs.directory.glob(f"*{SUFFIX}")
    if what == "graph":
        damage(graph)
    elif what == "manifest":
        damage(graphs.directory / MANIFEST)
    elif what == "no graph":
        graph.unlink()
    elif what == "short manifest":
        (graphs.directory / MANIFEST).write_bytes(b"FGG1")
    else:
        log.close()
        log = DiskLog(tmp_path / "anew", 1000, DIM)
        for n in range(50 if what == "another log" else 100):
            log.append([pack(note(n + 500))])
    assert held(read(log, graphs)) == held(read(log, None))
    assert "built again" in caplog.text
    assert not (graphs.directory / MANIFEST).exists(), "nobody tries it twice"
    assert save_where_due(log, notes(), graphs, never)
    caplog.clear()
    assert held(read(log, graphs)) == held(read(log, None))
    assert "built again" not in caplog.text
    log.close()


def test_graphs_of_other_vectors_are_left_alone(tmp_path: Path) -> None:
    log, graphs = filled(tmp_path)
    other = Notes("another embedder", DIM, 1000, 0.005)
    assert graphs.load(other.empty(), replaying.ALL) is None
    assert len(replay(log, other, graphs, never)[0]) == 0
    assert len(read(log, graphs)) == 60
    log.close()


def test_they_are_saved_by_the_thousand_and_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, graphs = filled(tmp_path)
    monkeypatch.setattr(replaying, "SAVED_ROWS", 10)
    (graphs.directory / ".half").write_bytes(b"of a process that was killed")
    for n in range(100, 109):
        log.append([pack(note(n))])
        assert not save_where_due(log, notes(), graphs, never)
    log.append([pack(note(109))])
    assert save_where_due(log, notes(), graphs, never)
    assert len(list(graphs.directory.iterdir())) == 2, "one graph and the manifest"
    assert all(path.stat().st_mode & 0o077 == 0 for path in graphs.directory.iterdir())
    log.append([pack(note(n)) for n in range(200, 240)])
    assert not save_where_due(log, notes(), graphs, lambda: True), "a process that ends does not wait for it"
    log.close()


def test_the_log_of_a_redis_has_graphs_too(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        connection = blocking(server)
        log, graphs, drawn = RedisReader(connection), Graphs(tmp_path / "graphs"), random.Random(3)
        for n in range(50):
            connection.ask("XADD", "fgc:notes", "*", "r", pack(note(n, expires_ns=time.time_ns() + HOUR_NS)))
            if n == 40:
                assert save_where_due(log, notes(), graphs, never)
        place = drawn.choice([at for at, _ in log.after(b"0-0", 30)])
        connection.ask("XDEL", "fgc:notes", place)
        assert held(read(log, graphs)) == held(read(log, None))
        assert len(read(log, graphs)) == 49
        connection.ask("DEL", "fgc:notes")
        assert len(read(log, graphs)) == 0
        connection.close()
