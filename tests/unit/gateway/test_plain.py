"""The plain way of a call and the task's come to the same: answer, record, charge, and nothing that is left behind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from granian._granian import RSGIProtocolClosed

from bench.micro import call as micro
from fastgate.call import Call
from fastgate.providers.wire import Wire
from fastgate.snapshot import GuardRow
from tests.support.plane import CACHE
from tests.support.ways import BODY, CLOSED, OK, PLAIN, SILENCE, TASK, House, answer, both, house, seen
from tests.unit.gateway.test_adopting import alone

SCRIPTS: dict[str, list[bytes | None]] = {
    "answered": [OK],
    "answered, and the connection ends": [OK.replace(b"keep-alive", b"close")],
    "no message": [answer("200 OK", b"[]")],
    "no usage": [answer("200 OK", b'{"type":"message"}')],
    "overloaded, then answered": [answer("529 X", b"{}", "retry-after: 0"), OK],
    "overloaded": [answer("529 X")] * 9,
    "refused": [answer("400 Bad Request", b'{"type":"error"}')],
    "not our credential": [answer("401 X")] * 9,
    "redirected": [answer("302 X", b"", "location: /x")] * 9,
    "compressed": [answer("200 OK", b"xx", "content-encoding: gzip"), OK],
    "a kept connection closed": [CLOSED, OK],
    "every connection closed": [CLOSED] * 9,
    "cut short": [OK[:-1], CLOSED, OK],
    "no HTTP": [b"SMTP ready\r\n\r\n", OK],
}
WITHOUT_A_TASK = {"answered", "answered, and the connection ends", "no message", "no usage"}

HOUR_NS = 3_600_000_000_000


@pytest.mark.parametrize("name", SCRIPTS)
def test_both_ways_come_to_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    async def go(of: House, way: str) -> Any:
        server = micro.Server(BODY)
        ended, client = of.begin(way, server, SCRIPTS[name])
        await ended
        if way == PLAIN:
            assert (client.task is None) == (name in WITHOUT_A_TASK)
        return seen(server), list(of.script)

    task, plain = both(tmp_path, monkeypatch, go)
    assert plain == task
    assert len(plain[1]) == 2
    assert plain[2] == (0, 0)


KEY_OF_A_CLOUD = "AKIA" + "Q3EGRTYUIOPASDF7"
LEAKY = BODY.replace(b"hi", b"hi " + KEY_OF_A_CLOUD.encode(), 1)
LEAKING = json.dumps({"type": "message", "content": [{"type": "text", "text": KEY_OF_A_CLOUD}]}).encode()

GUARDED: dict[str, tuple[str, bytes, bytes, str]] = {
    "nothing is found": ("block", BODY, OK, "pass"),
    "a secret is refused": ("block", LEAKY, OK, "blocked"),
    "a secret is replaced": ("redact", LEAKY, OK, "redacted"),
    "a secret is told": ("log", LEAKY, OK, "pass"),
    "the answer has one": ("redact", BODY, answer("200 OK", LEAKING), "pass"),
}
"""What is done with secrets, the body, the answer, and what the record says."""


@pytest.mark.parametrize("name", GUARDED)
def test_both_ways_are_guarded_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    action, body, reply, told = GUARDED[name]

    async def go(of: House, way: str) -> Any:
        server = micro.Server(body)
        ended, client = of.begin(way, server, [reply], body)
        await ended
        if way == PLAIN:
            assert client.task is None
        assert of.records()[-1]["guard"] == told
        return seen(server), list(of.script)

    task, plain = both(tmp_path, monkeypatch, go, guards=(GuardRow("secrets", action),))
    assert plain == task
    assert plain[2] == (0, 0)


@pytest.mark.parametrize("name", ["answered", "overloaded, then answered"])
def test_a_call_is_guarded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Also where a task takes over."""
    judged: list[bytes] = []

    async def go(of: House, way: str) -> Any:
        judged.clear()
        of.worker.snapshot.guards = Counting(of.worker.snapshot.guards, judged)
        server = micro.Server(BODY)
        ended, _ = of.begin(way, server, SCRIPTS[name])
        await ended
        assert judged == [BODY]
        return seen(server)

    task, plain = both(tmp_path, monkeypatch, go, guards=(GuardRow("secrets", "block"),))
    assert plain == task


class Counting:
    """Guards that tell which bodies they are given."""

    def __init__(self, guards: Any, judged: list[bytes]) -> None:
        self.guards, self.judged = guards, judged

    def __getattr__(self, name: str) -> Any:
        return getattr(self.guards, name)

    def unknown(self, body: bytes, *more: Any) -> Any:
        self.judged.append(body)
        return self.guards.unknown(body, *more)

    def screen(self, body: bytes, *more: Any) -> Any:
        self.judged.append(body)
        return self.guards.screen(body, *more)


def test_a_connection_is_given_back_where_the_call_cannot_be_accounted_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def go(of: House, way: str) -> Any:
        while of.worker.flight.claim(0, 0, b"") >= 0:
            pass
        server = micro.Server(BODY)
        ended, _ = of.begin(way, server, [])
        await ended
        (pool,) = of.worker.upstreams._pools.values()
        return seen(server), len(pool._idle)

    task, quick = both(tmp_path, monkeypatch, go)
    assert quick == task
    assert quick[0][1] == 1


DURING: dict[str, Callable[[Call], None]] = {
    "the client leaves": lambda call: call.leave(),
    "the worker has to stop": lambda call: call.pump.fail("cancelled") if call.pump is not None else None,
    "the time for a call is over": lambda call: call.pump.fail("total_timeout") if call.pump is not None else None,
}


@pytest.mark.parametrize("name", DURING)
def test_both_ways_end_the_same_when_they_are_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    async def go(of: House, way: str) -> Any:
        server = micro.Server(BODY)
        ended, _ = of.begin(way, server, [SILENCE] * 9)
        for _ in range(20):
            for call in list(of.worker.calls.values()):
                if call.pump is not None:
                    DURING[name](call)
            await asyncio.sleep(0)
        await asyncio.wait_for(ended, 5)
        return seen(server)

    task, plain = both(tmp_path, monkeypatch, go)
    assert plain == task
    assert plain[2] == (0, 0)


class Unread(micro.Reading):
    """A body that does not come."""

    def __init__(self, fault: BaseException) -> None:
        super().__init__(b"")
        self.fault = fault

    def result(self) -> bytes:
        raise self.fault


@pytest.mark.parametrize(
    ("fault", "late", "outcome", "error", "status"),
    [
        (RSGIProtocolClosed(), False, "client_gone", "client_gone", 499),
        (asyncio.CancelledError(), True, "refused", "body_timeout", 408),
    ],
)
def test_a_body_that_does_not_come_is_told_as_ever(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: BaseException,
    late: bool,
    outcome: str,
    error: str,
    status: int,
) -> None:
    async def run() -> None:
        with house(tmp_path, monkeypatch) as of:
            server = micro.Server(BODY)
            monkeypatch.setattr(micro, "Reading", lambda body: Unread(fault))
            ended, _ = of.begin(PLAIN, server, [])
            await asyncio.sleep(0)
            for call in of.worker.calls.values():
                call.late = late
                call.start_ns -= HOUR_NS if late else 0
            await ended
            (record,) = of.records()
            assert (record["outcome"], record["error"], record["status"]) == (outcome, error, status)
            assert server.status == status
            assert of.left() == (0, 0)

    alone(run)


@pytest.mark.parametrize("where", ["request", "recast"])
def test_a_defect_is_a_500_with_its_record_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Before the request goes out, and after its answer has come: that one is charged."""

    async def run() -> None:
        with house(tmp_path, monkeypatch) as of:
            await of.warm()
            server = micro.Server(BODY)

            def fault(*_: Any) -> Any:
                raise ZeroDivisionError("a defect")

            (pool,) = of.worker.upstreams._pools.values()
            pool.wire = type("Faulty", (Wire,), {where: fault})(pool.endpoint)
            ended, client = of.begin(PLAIN, server, [OK])
            await ended
            _, record = of.records()
            assert client.task is None
            assert server.status == record["status"] == 500
            assert record["error"] == "internal"
            assert (record["cost_nano"] > 0) == (where == "recast")
            assert of.left() == (0, 0)

    alone(run)


@pytest.mark.parametrize("way", [TASK, PLAIN])
@pytest.mark.parametrize("cached", [False, True])
def test_what_others_wait_for_is_free_when_the_end_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, cached: bool
) -> None:
    """The answer cannot be sent: its connection is closed, and who follows the call asks by himself."""

    async def run() -> None:
        with house(tmp_path, monkeypatch, cache=CACHE if cached else None) as of:
            if not cached:
                await of.warm()
            server = micro.Server(BODY)

            def fault(*_: Any) -> Any:
                raise ZeroDivisionError("a defect")

            monkeypatch.setattr(server, "response_bytes", fault)
            ended, _ = of.begin(way, server, [OK, OK])
            with pytest.raises(ZeroDivisionError):
                await ended
            assert of.worker.calls == {}
            (pool,) = of.worker.upstreams._pools.values()
            assert pool._idle == []
            again = micro.Server(BODY)
            ended, _ = of.begin(way, again, [OK])
            await asyncio.wait_for(ended, 5)
            assert again.status == 200

    alone(run)


def test_what_fails_in_the_end_is_told_to_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        with house(tmp_path, monkeypatch) as of:
            await of.warm()

            def fault(*_: Any) -> Any:
                raise ZeroDivisionError("a defect")

            monkeypatch.setattr(of.worker, "close_call", fault)
            ended, client = of.begin(PLAIN, micro.Server(BODY), [OK])
            with pytest.raises(ZeroDivisionError):
                await ended
            assert client.task is None
            assert of.worker.calls == {}

    alone(run)
