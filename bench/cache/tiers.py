"""What an answer costs in each tier, in one worker's process: to find it, and to keep it until other workers see it."""

from __future__ import annotations

import asyncio
import shutil
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bench.section import Section
from fastgate.caching.answers import Answers
from fastgate.caching.entry import Entry, Head
from fastgate.caching.resp import BlockingRedis, RedisUrl
from fastgate.snapshot_cache import CachePolicy

SIZES = {"4 KB": (4_000, 2_000), "256 KB": (256_000, 300)}
"""Bytes of an answer, and how many: an answer of Claude Code is some KB, a long streamed one a few hundred."""

START_S = 20.0

MIB = 1024 * 1024

FAR = 1 << 62

POLICY = CachePolicy(
    ttl_ns=FAR, width="team", in_flight=False, count_tokens=False, entry_bytes=4 * MIB, temperature=0.0, overrides=True,
    store="embedded", memory_bytes=512 * MIB, disk_bytes=512 * MIB,
)  # fmt: skip

COLUMNS = ("tier", "answer", "found µs", "kept µs")


class Ref(msgspec.Struct):
    """What finds an answer."""

    find: bytes
    proof: bytes


async def run(policy: CachePolicy, folder: Path, size: int, count: int) -> dict[str, list[float]]:
    """Seconds by what took them: `memory` and `shared` to find an answer there, `kept` until others see it."""
    answers = Answers(policy, folder, asyncio.get_running_loop())
    took: dict[str, list[float]] = {"kept": [], "shared": [], "memory": []}
    refs = [Ref(n.to_bytes(16, "big"), n.to_bytes(32, "big")) for n in range(count)]
    try:
        while answers.shared is not None and await answers.shared.redis.ask("PING") is None:
            await asyncio.sleep(0.01)
        for ref in refs:
            begun = time.perf_counter()
            seen = answers.keep(ref.find, entry(ref.proof, size))
            if seen is None:
                raise RuntimeError("an answer was not kept")
            await seen
            took["kept"].append(time.perf_counter() - begun)
        answers.memory.drop_where(lambda _: True)
        for name in ("shared", "memory"):
            for ref in refs:
                begun = time.perf_counter()
                found = answers.look(ref, 1, 0)  # type: ignore[arg-type]
                if found is None and answers.shared is not None:
                    found = await answers.look_afar(ref, 1, 0)  # type: ignore[arg-type]
                took[name].append(time.perf_counter() - begun)
                if found is None or len(found.body) != size:
                    raise RuntimeError("an answer that was kept is not found")
    finally:
        answers.close()
    return took


def entry(proof: bytes, size: int) -> Entry:
    head = Head(proof, ("team", "org", "team"), "org", "team", "user", "key", "", "messages", "message", "m", "up",
                "anthropic", "fg-1", 1, FAR, 1, (1, 1, 0, 0, 0), 0, "end_turn")  # fmt: skip
    return Entry(head, bytes(size))


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """A Redis of its own, for the time of a with block; its address. Raises FileNotFoundError."""
    binary = shutil.which("redis-server")
    if binary is None:
        raise FileNotFoundError("redis-server not found: make peers")
    folder.mkdir(parents=True)
    command = [binary, "--port", "0", "--unixsocket", "redis.sock", "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    url, end = f"unix://{folder}/redis.sock", time.monotonic() + START_S
    try:
        while True:
            try:
                BlockingRedis(RedisUrl(url)).close()
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)
        yield url
    finally:
        process.terminate()
        process.wait()


def measure(folder: Path) -> dict[tuple[str, str], dict[str, list[float]]]:
    found = {}
    with redis(folder / "redis") as url:
        for tier, store in (("LMDB", "embedded"), ("Redis", url)):
            policy = msgspec.structs.replace(POLICY, store=store)
            for name, (size, count) in SIZES.items():
                found[tier, name] = asyncio.run(run(policy, folder / tier / name.replace(" ", ""), size, count))
    return found


def section(found: dict[tuple[str, str], dict[str, list[float]]]) -> Section:
    rows = []
    for name in SIZES:
        rows.append(["a worker's memory", name, median_us(found["LMDB", name]["memory"]), ""])
        for tier in ("LMDB", "Redis"):
            took = found[tier, name]
            rows.append([tier, name, median_us(took["shared"]), median_us(took["kept"])])
    about = (
        "Medians, one answer at a time, in one worker's process: *found* is a look that is answered from that tier, "
        "checksum and proof included; *kept* is until other workers can see it. Redis is a server of its own on the "
        "same machine, over a Unix socket."
    )
    return Section("Exact cache: its tiers", about, COLUMNS, rows)


def median_us(seconds: list[float]) -> str:
    return f"{1e6 * statistics.median(seconds):.1f}"
