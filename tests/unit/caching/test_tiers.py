"""The tiers by themselves: what is kept comes back as it was, in bounds, over restarts; what is damaged does not."""

from __future__ import annotations

import asyncio
import os
import time
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate._core.usage import Usage
from fastgate.caching.disk import Disk
from fastgate.caching.entry import Entry, EntryError, Head, pack, unpack, usage_fields, usage_of
from fastgate.caching.memory import SHARE_OF_ONE, Memory
from fastgate.caching.purge import Purge
from fastgate.caching.resp import BlockingRedis, Redis, RedisUrl
from fastgate.caching.shared import Shared, SharedAdmin
from fastgate.caching.writer import WAITING_BYTES, Writer
from tests.support.redis import RedisServer, redis_server

MIB = 1024 * 1024
HOUR_NS = 3600 * 1_000_000_000


def entry(number: int = 0, body: bytes = b"an answer", **changes: Any) -> Entry:
    now_ns = time.time_ns()
    head = Head(
        proof=number.to_bytes(32, "big"),
        scope=("team", "acme", "platform"),
        org="acme",
        team="platform",
        user="alice",
        key="alice-laptop",
        namespace="",
        route="messages",
        form="message",
        model="claude-sonnet-5-5",
        endpoint="up",
        provider="anthropic",
        call_id=f"fg-x-{number}",
        started_ns=now_ns + number,
        expires_ns=now_ns + HOUR_NS,
        cost_nano=7,
        tokens=(1, 2, 3, 4, 5),
        flags=0,
        stop_reason="end_turn",
    )
    return Entry(msgspec.structs.replace(head, **changes), body)


def find_of(number: int) -> bytes:
    return number.to_bytes(16, "big")


def test_an_entry_comes_back_as_it_was() -> None:
    one = entry(3, b"\x00\xff body", namespace="ci", form="events", request_id="req_1")
    assert unpack(pack(one)) == one
    used = Usage.of(input_tokens=5, output_tokens=7, cache_read_tokens=11, fast=True, us_geo=True)
    assert usage_of(entry(**usage_fields(used)).head) == used


def test_every_form_that_was_ever_written_is_read_and_none_is_taken_for_another() -> None:
    """FGC1 has no pace, and whoever wrote it knew of none: what has one says so with its first bytes."""
    head = msgspec.msgpack.encode(msgspec.structs.astuple(entry(3).head)[:-1])  # as the first version wrote it
    rest = len(head).to_bytes(4, "little") + head + b"an answer"
    first = b"FGC1" + zlib.crc32(rest).to_bytes(4, "little") + rest
    told = unpack(first)
    assert (told.body, told.pace, told.head.call_id) == (b"an answer", b"", "fg-x-3")
    paced = entry(3, b"an answer", pace_bytes=8)
    paced.pace = bytes(8)
    blob = pack(paced)
    assert (pack(entry(3))[:4], blob[:4]) == (b"FGC1", b"FGC2")
    assert unpack(blob) == paced
    for other in (b"FGC1" + blob[4:], b"FGC2" + pack(entry(3))[4:], b"FGC3" + blob[4:]):
        with pytest.raises(EntryError):
            unpack(other)


@given(st.binary(max_size=200), st.integers(0, 10_000), st.integers(1, 255))
def test_any_damage_is_noticed(body: bytes, at: int, flip: int) -> None:
    blob = bytearray(pack(entry(1, body)))
    blob[at % len(blob)] ^= flip
    with pytest.raises(EntryError):
        unpack(bytes(blob))
    with pytest.raises(EntryError):
        unpack(pack(entry(1, body))[: at % len(blob)])


def test_memory_stays_in_bounds_and_keeps_what_is_used() -> None:
    memory = Memory(20 * entry(body=b"x" * 10_000).size)
    for number in range(100):
        memory.put(find_of(number), entry(number, b"x" * 10_000))
        assert memory.get(find_of(0)) is not None, "it is asked for again and again"
        assert memory.bytes <= memory.limit
    assert len(memory) == 20
    assert memory.get(find_of(50)) is None
    memory.put(find_of(101), entry(101, b"x" * (memory.limit // SHARE_OF_ONE)))
    assert memory.get(find_of(101)) is None, "one answer does not empty it"
    assert memory.drop_where(lambda head: head.call_id != "fg-x-0") == 19
    memory.drop(find_of(0))
    assert (len(memory), memory.bytes) == (0, 0)


def test_the_disk_keeps_over_restarts_and_evicts_the_oldest(tmp_path: Path) -> None:
    limit = 4 * MIB
    disk = Disk(tmp_path, limit)
    for start in range(0, 400, 10):
        batch = [(find_of(n), entry(n, bytes([n % 256]) * 30_000)) for n in range(start, start + 10)]
        disk.write(batch, time.time_ns())
        assert disk.facts()["bytes"] <= limit
    facts = disk.facts()
    assert facts["evicted"] > 200
    assert facts["entries"] + facts["evicted"] == 400
    disk.close()
    disk = Disk(tmp_path, limit)
    assert disk.get(find_of(399)) is not None
    assert disk.get(find_of(0)) is None
    assert disk.facts() == facts
    assert (tmp_path.stat().st_mode & 0o077, (tmp_path / "data.mdb").stat().st_mode & 0o077) == (0, 0)
    disk.close()


def test_expired_entries_leave_the_disk_and_replaced_ones_do_not(tmp_path: Path) -> None:
    disk = Disk(tmp_path, 16 * MIB)
    old = entry(1, expires_ns=time.time_ns() - 1)
    disk.write([(find_of(1), old), (find_of(2), entry(2))], time.time_ns())
    disk.write([(find_of(2), entry(5, b"newer"))], time.time_ns())
    assert disk.get(find_of(1)) is None
    kept = disk.get(find_of(2))
    assert kept is not None
    assert kept.body == b"newer"
    assert disk.facts()["entries"] == 1
    disk.close()


def test_damaged_entries_are_dropped_and_counted(tmp_path: Path) -> None:
    disk = Disk(tmp_path, 16 * MIB)
    disk.write([(find_of(n), entry(n)) for n in (1, 2)], time.time_ns())
    blob = bytearray(pack(entry(1)))
    blob[-1] ^= 1
    with disk._env.begin(write=True, db=disk._entries) as txn:
        txn.put(find_of(1), bytes(blob))
    with pytest.raises(EntryError):
        disk.get(find_of(1))
    disk.drop_damaged([find_of(1), find_of(2)])
    assert disk.get(find_of(1)) is None
    assert disk.get(find_of(2)) is not None, "it was whole"
    assert disk.facts()["damaged"] == 1
    disk.close()


def test_what_a_power_failure_left_is_thrown_away(tmp_path: Path) -> None:
    disk = Disk(tmp_path, 16 * MIB)
    disk.write([(find_of(1), entry(1))], time.time_ns())
    disk.close()
    assert not list(tmp_path.glob("open.*"))
    disk = Disk(tmp_path, 16 * MIB)
    assert disk.get(find_of(1)) is not None, "an orderly end keeps it"
    disk.close()
    (tmp_path / "open.1").write_text("01234567-89ab-cdef-0123-456789abcdef\n1\n")  # of another boot
    disk = Disk(tmp_path, 16 * MIB)
    assert disk.get(find_of(1)) is None
    (mark,) = tmp_path.glob("open.*")
    assert mark.suffix == f".{os.getpid()}"
    disk.close()


def test_a_purge_binds_what_comes_after_it(tmp_path: Path) -> None:
    disk = Disk(tmp_path, 16 * MIB)
    early, late = entry(1), entry(2, started_ns=time.time_ns() + HOUR_NS)
    disk.write([(find_of(1), early)], time.time_ns())
    assert disk.purge(Purge(before_ns=early.head.started_ns + 1, team="platform")) == 1
    disk.write([(find_of(1), early), (find_of(2), late), (find_of(3), entry(3, started_ns=5, team="data"))], 0)
    assert disk.get(find_of(1)) is None, "its call began before the purge"
    assert disk.get(find_of(2)) is not None
    assert disk.get(find_of(3)) is not None, "another team's"
    assert disk.purge_count() == 1
    disk.close()


def test_a_purge_reads_by_pages(tmp_path: Path) -> None:
    disk = Disk(tmp_path, 64 * MIB)
    disk.write([(find_of(n), entry(n, b"x", user="alice" if n % 3 else "bob")) for n in range(1800)], 0)
    assert len({find for find, _, _ in disk.heads()}) == 1800
    assert disk.purge(Purge(before_ns=1 << 62, user="bob")) == 600
    assert disk.purge(Purge(before_ns=1 << 62)) == 1200
    assert disk.facts()["entries"] == 0
    disk.close()


def test_the_writer_is_bounded_and_finishes(tmp_path: Path) -> None:
    disk = Disk(tmp_path, 256 * MIB)
    writer = Writer(disk)
    size = MIB
    for number in range(40):
        writer.put((find_of(number), entry(number, os.urandom(size))))
    writer.close()
    stored = disk.facts()["entries"]
    assert stored + writer.skipped == 40
    assert stored >= WAITING_BYTES // size - 2
    disk.close()


def test_a_full_disk_skips_and_goes_on(tmp_path: Path) -> None:
    disk = Disk(tmp_path, 16 * MIB)
    writer = Writer(disk)
    disk._env.set_mapsize(2 * MIB)
    writer.put((find_of(1), entry(1, os.urandom(8 * MIB))))
    writer.close()
    assert writer.skipped == 1
    disk.write([(find_of(2), entry(2))], time.time_ns())
    assert disk.get(find_of(2)) is not None
    disk.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with redis_server(tmp_path_factory.mktemp("redis")) as running:
        yield running


async def connected(redis: Redis) -> None:
    for _ in range(200):
        if await redis.ask("PING") == b"PONG":
            return
        await asyncio.sleep(0.02)
    raise AssertionError("no connection")


@pytest.fixture
async def redis(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Redis]:
    monkeypatch.setattr("fastgate.caching.resp.ANSWER_S", 10.0)  # a busy machine is no matter here
    made = Redis(RedisUrl(server.url), asyncio.get_running_loop())
    await connected(made)
    yield made
    made.close()  # also of a test that failed: a loop that closes beside an open connection hangs
    await asyncio.sleep(0.05)


async def test_redis_keeps_and_forgets(server: RedisServer, redis: Redis) -> None:
    shared = Shared(redis)
    one, soon = entry(1, b"\r\n\x00" * 1000), entry(2, expires_ns=time.time_ns() + 50_000_000)
    for number, stored in ((1, one), (2, soon)):
        shared.put(find_of(number), stored, time.time_ns())
    assert await shared.get(find_of(1)) == one
    await asyncio.sleep(0.1)
    assert await shared.get(find_of(2)) is None, "Redis itself forgets what has expired"
    server.ask("SET", b"fgc:e:" + find_of(3), b"not an entry")
    with pytest.raises(EntryError):
        await shared.get(find_of(3))
    shared.drop_damaged(find_of(3))
    assert await shared.get(find_of(3)) is None
    answers = await asyncio.gather(*(shared.get(find_of(n % 2)) for n in range(2000)))
    assert [answer is not None for answer in answers] == [bool(n % 2) for n in range(2000)], "in order"
    admin = SharedAdmin(blocking(server))
    assert admin.facts()["damaged"] == 1
    assert admin.purge(Purge(before_ns=1 << 62, org="acme")) == 1
    assert await shared.purge_count() == 1
    assert (await shared.purges())[0].org == "acme"
    admin.close()


def blocking(server: RedisServer) -> Any:
    return BlockingRedis(RedisUrl(server.url))


async def test_redis_away_is_no_answer_and_comes_back(tmp_path: Path) -> None:
    with redis_server(tmp_path) as mine:
        redis = Redis(RedisUrl(mine.url), asyncio.get_running_loop())
        try:
            await connected(redis)
            mine.stop()
            begun = time.monotonic()
            assert await redis.ask("GET", "x") is None
            assert time.monotonic() - begun < 5
            assert redis.away > 0
            mine.start()
            await connected(redis)
        finally:
            redis.close()
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(("url", "expected"), [
    ("redis://u:p%40@h:7000/3", ("h", 7000, [("AUTH", "u", "p@"), ("SELECT", 3)])),
    ("redis://:secret@h", ("h", 6379, [("AUTH", "secret")])),
    ("unix:///tmp/r.sock?db=2", ("127.0.0.1", 6379, [("SELECT", 2)])),
])  # fmt: skip
def test_addresses(url: str, expected: tuple[str, int, list[Any]]) -> None:
    read = RedisUrl(url)
    assert (read.host, read.port, read.greeting()) == expected
