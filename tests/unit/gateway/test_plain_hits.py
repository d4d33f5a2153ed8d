"""A hit that waits for nothing needs no task, and comes to the same as one that has one; whatever waits has one."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench.micro import call as micro
from fastgate.gateway.rooms import cache
from tests.support.plane import CACHE
from tests.support.ways import BODY, OK, PLAIN, House, both, seen

LONG = b'{"model":"claude-sonnet-4-5","max_tokens":9,"messages":[{"role":"user","content":"%b"}]}' % (b"again " * 9000)
UNREADABLE = ("x-fastgate-cache-ttl", "soon")

ASKED: dict[str, tuple[bytes, tuple[str, str] | None, str, bool]] = {
    "again": (BODY, None, "hit", True),
    "again, with a header": (BODY, ("x-fastgate-cache", "no-store"), "hit", True),
    "another question": (LONG, None, "miss", False),
    "for a new answer": (BODY, ("x-fastgate-cache-force-refresh", "true"), "refresh", False),
    "past the cache": (BODY, ("x-fastgate-cache", "bypass"), "bypass", False),
    "in words that cannot be read": (BODY, UNREADABLE, "bypass", True),
}
"""What is asked, its header, what the cache says, and whether it goes without a task."""


@pytest.mark.parametrize("name", ASKED)
def test_both_ways_of_a_hit_come_to_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    body, line, told, at_once = ASKED[name]
    monkeypatch.setattr(micro, "make_app", partial(micro.make_app, cache=CACHE))
    made = micro.Scope

    def scope(sent: bytes) -> Any:
        found = made(sent)
        if line is not None:
            found._items.append(line)
        return found

    async def go(of: House, way: str) -> Any:
        server = micro.Server(body)
        monkeypatch.setattr(micro, "Scope", scope)
        monkeypatch.setattr("tests.unit.gateway.test_plain.BODY", body)
        try:
            ended, client = of.begin(way, server, [OK])
        finally:
            monkeypatch.setattr(micro, "Scope", made)
            monkeypatch.setattr("tests.unit.gateway.test_plain.BODY", BODY)
        await ended
        if way == PLAIN:
            assert (client.task is None) == at_once
        assert ("x-fastgate-cache", told) in server.headers
        assert of.records()[-1]["cache"] == told
        assert server.status == (400 if line is UNREADABLE else 200)
        return seen(server), list(of.script)

    task, plain = both(tmp_path, monkeypatch, go)
    assert plain == task
    assert plain[2] == (0, 0)


def test_a_hit_at_its_pace_has_a_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paced = msgspec.structs.replace(CACHE, paced=True)
    monkeypatch.setattr(micro, "make_app", partial(micro.make_app, cache=paced))
    replayed: list[Any] = []

    async def replay(call: Any, entry: Any) -> None:
        replayed.append(entry.pace)

    monkeypatch.setattr(cache, "replay", replay)

    async def go(of: House, way: str) -> Any:
        assert of.worker.answers is not None
        for entry in of.worker.answers.memory._entries.values():
            entry.pace = bytes(8)
        server = micro.Server(BODY)
        ended, client = of.begin(way, server, [])
        await ended
        assert way != PLAIN or client.task is not None
        return seen(server)

    task, plain = both(tmp_path, monkeypatch, go)
    assert plain == task
    assert replayed == [bytes(8)] * 2
