"""What a reworded question costs a worker, from the request's bytes to the answer found, on one core.

The whole of it, as the gateway's room does it: canonical form, partition, embedding, search, agreement, and the answer
out of memory. At 100,000 questions of 200 partitions in one index, which is one tenant's namespace.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bench.section import Goal, Section
from bench.semantic import traces
from bench.semantic.pair import Ask, asked
from bench.semantic.rules import FAR, STATIC, WHO
from fastgate._core.digest import read_canonical
from fastgate._core.request import read_request
from fastgate.caching.answers import Answers
from fastgate.caching.entry import Entry, Head
from fastgate.caching.semantic.finder import Finder
from fastgate.caching.semantic.graphs import Graphs
from fastgate.caching.semantic.log_disk import DiskLog
from fastgate.caching.semantic.note import Note, pack
from fastgate.caching.semantic.notes import Notes
from fastgate.caching.semantic.replay import CHECKSUM, replay
from fastgate.caching.semantic.settings import SemanticCache, compiled
from fastgate.caching.semantic.shelf import At
from fastgate.caching.semantic.spoken import Asker, Spoken, spoken_of
from fastgate.snapshot_cache import CachePolicy

ENTRIES = 100_000
LOGGED_AT_ONCE = 500
PARTITIONS = 200
ASKED = 2000
SYSTEM_BYTES = 8_000
"""Of a request; Claude Code's whole prompt has 48 KB, its side calls a few."""

P50_GOAL_MS = 1.5

MIB = 1024 * 1024

POLICY = CachePolicy(
    ttl_ns=1, width="team", in_flight=False, count_tokens=False, entry_bytes=MIB, temperature=0.0, overrides=True,
    store="embedded", memory_bytes=512 * MIB, disk_bytes=16 * MIB,
)  # fmt: skip


class Bench:
    """One worker's tiers, with that many questions in its index and an answer to each of the first few thousand."""

    def __init__(self, folder: Path, loop: asyncio.AbstractEventLoop, entries: int) -> None:
        semantic = compiled(SemanticCache(mode="on", namespace="team", entries=entries))
        assert semantic is not None
        self.semantic = semantic
        policy = msgspec.structs.replace(POLICY, semantic=semantic)
        self.answers = Answers(policy, folder / "cache", loop)
        self.texts: list[tuple[str, int]] = []
        drawn = random.Random(traces.SEED)
        self.systems = [f"Partition {n}. " + "x" * SYSTEM_BYTES for n in range(PARTITIONS)]
        while len(self.texts) < entries:
            text, _, _ = traces.first(drawn)
            self.texts.append((f"{text[:-1]} for ticket {len(self.texts)}{text[-1]}", drawn.randrange(PARTITIONS)))

    async def ready(self) -> None:
        """What is loaded beside the loop is there, and the empty log is read."""
        while self.answers.semantic is None or not self.finder.store.ready:  # type: ignore[attr-defined]
            await asyncio.sleep(0.01)

    @property
    def finder(self) -> Finder:
        assert self.answers.semantic is not None
        return self.answers.semantic

    def ask(self, n: int, *, reworded: bool = False) -> Ask:
        text, partition = self.texts[n]
        return asked(f"Please: {text}" if reworded else text, system=self.systems[partition])

    def question(self, body: bytes) -> Spoken:
        asker = Asker(WHO, "", "", "claude-sonnet-5-5")
        spoken = spoken_of(self.semantic, "", asker, b"", read_canonical(body), read_request(body))
        assert spoken is not None
        return spoken

    def fill(self) -> list[float]:
        """Seconds that each addition took. The log of notes has them too."""
        notes: Any = self.finder.store
        took, blobs = [], []
        for n in range(len(self.texts)):
            spoken = self.question(self.ask(n).body())
            at = STATIC.vector(spoken.text)
            assert at is not None
            find, half = n.to_bytes(16, "big"), at.astype(np.float16).tobytes()
            row = Note(spoken.scope, "", spoken.partition, spoken.text, STATIC.identity, half, find, find * 2, "org",
                       "team", "user", "key", "m", n, FAR)  # fmt: skip
            blobs.append(pack(row))
            if len(blobs) == LOGGED_AT_ONCE or n == len(self.texts) - 1:
                self.log.append(blobs)
                blobs = []
            place = At(n + 1, pack(row)[CHECKSUM])
            begun = time.perf_counter()
            notes.notes.take(row, 0, spoken.reading, at, place)
            took.append(time.perf_counter() - begun)
            if n % (len(self.texts) // ASKED or 1) == 0:
                self.answers.memory.put(find, answer(find * 2, n))
        return took

    @property
    def log(self) -> DiskLog:
        assert self.answers.notes is not None
        return self.answers.notes

    def start(self, folder: Path) -> tuple[float, float]:
        """Processor seconds that saving the graphs takes, and a start from them."""
        notes: Notes = self.finder.store.notes  # type: ignore[attr-defined]
        graphs = Graphs(folder)
        begun = time.process_time()
        graphs.save(notes, self.log.last(), self.log.purges())
        saved = time.process_time()
        again, _ = replay(self.log, notes, graphs, lambda: False)
        if len(again) != len(notes):
            raise RuntimeError(f"{len(again)} of {len(notes)} questions came back")
        return saved - begun, time.process_time() - saved


def answer(proof: bytes, n: int) -> Entry:
    head = Head(proof, ("team", "org", "team"), "org", "team", "user", "key", "", "messages", "message", "m", "up",
                "anthropic", f"fg-{n}", n, FAR, 1, (1, 1, 0, 0, 0), 0, "end_turn")  # fmt: skip
    return Entry(head, b'{"type":"message"}')


async def run(folder: Path, entries: int) -> dict[str, list[float]]:
    """Seconds by what took them."""
    bench = Bench(folder, asyncio.get_running_loop(), entries)
    await bench.ready()
    found: dict[str, list[float]] = {"add": bench.fill()}
    every = max(1, entries // ASKED)
    hits = 0
    for n in range(0, entries, every):
        body = bench.ask(n, reworded=True).body()
        begun = time.perf_counter()
        spoken = bench.question(body)
        entry = await bench.finder.find(spoken, 0, 0)
        found.setdefault("whole", []).append(time.perf_counter() - begun)
        hits += entry is not None and entry.head.started_ns == n
        timed(found, "embed", lambda spoken=spoken: STATIC.vector(spoken.text))
        timed(found, "search", lambda spoken=spoken: bench.finder.store.notes.near(spoken))  # type: ignore[attr-defined]
    found["found"] = [hits / len(found["whole"])]
    found["save"], found["start"] = ([seconds] for seconds in bench.start(folder / "graphs"))
    bench.answers.close()
    return found


def timed(found: dict[str, list[float]], name: str, call: Callable[[], object]) -> None:
    begun = time.perf_counter()
    call()
    found.setdefault(name, []).append(time.perf_counter() - begun)


def measure(entries: int = ENTRIES) -> dict[str, dict[str, list[float]]]:
    found = {}
    for size in (1000, entries):
        with tempfile.TemporaryDirectory(prefix="fastgate-bench-") as folder:
            found[f"{size:,}"] = asyncio.run(run(Path(folder), size))
    return found


def section(found: dict[str, dict[str, list[float]]]) -> Section:
    rows, goals = [], []
    for size, times in found.items():
        p50 = statistics.median(times["whole"]) * 1e3
        cells = [f"{statistics.median(times[name]) * 1e3:.3f}" for name in ("embed", "search", "add")]
        p99 = statistics.quantiles(times["whole"], n=100)[98] * 1e3
        built = [f"{seconds:.1f}" for seconds in (sum(times["add"]), times["save"][0], times["start"][0])]
        rows.append([size, f"{p50:.3f}", f"{p99:.3f}", *cells, f"{times['found'][0]:.1%}", *built])
        text = f"a hit among {size} questions takes {p50:.2f} ms at p50 (<= {P50_GOAL_MS})"
        goals.append(Goal(text, p50 <= P50_GOAL_MS))
    about = (
        "A reworded question answered from one worker's index, milliseconds on one core: the whole, from the "
        f"request's {SYSTEM_BYTES // 1000} KB to the answer in memory, and of it the embedding and the search; an "
        "addition. *found*: of questions whose answer is kept, those whose own answer was found. In seconds: all "
        "additions, saving the graphs, and a worker's start from them (processor time)."
    )
    columns = (
        "questions",
        "whole p50",
        "whole p99",
        "embed",
        "search",
        "add",
        "found",
        "built s",
        "saved s",
        "start s",
    )
    return Section("Semantic cache: what a hit costs", about, columns, rows, goals)
