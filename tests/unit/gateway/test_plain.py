"""The plain way of a call and the task's come to the same: answer, record, charge, and nothing that is left behind."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from granian._granian import RSGIProtocolClosed

from bench.load import payloads
from bench.micro import call as micro
from fastgate._core.pump import Pump
from fastgate.call import Call
from fastgate.gateway.app import App
from fastgate.gateway.rooms import relay
from fastgate.gateway.upstream import Pool
from fastgate.guards.screen import Guards
from fastgate.journal import JournalReader
from fastgate.providers.wire import Wire
from fastgate.record import CallRecord
from fastgate.snapshot import GuardRow
from tests.support.plane import CACHE
from tests.unit.gateway.test_adopting import alone

BODY = payloads.body("small", False)
OK = micro.ANSWER
ID = re.compile(rb"fg-\w+-\d+")
TASK, PLAIN = "as a task", "without a task"
decode = msgspec.msgpack.Decoder(CallRecord).decode


def answer(status: str, body: bytes = b"{}", *lines: str) -> bytes:
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *lines))
    return f"{head}\r\n".encode() + body


CLOSED = None
"""The connection ends."""
SILENCE = b""

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


class Provider(micro.Upstream):
    """Answers each request with what comes next in the script, and with more of it until the exchange is over."""

    script: list[bytes | None]

    def writelines(self, parts: tuple[bytes, bytes]) -> None:
        self.loop.call_soon(self.go_on)

    def go_on(self) -> None:
        piece = self.script.pop(0)
        if piece is CLOSED:
            self.pump.connection_lost(None)
        elif piece:
            self.pump.data_received(piece)
            if not self.pump.over:
                self.go_on()


class House:
    """A worker whose provider follows a script, after one call that leaves it a connection."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
        self.script: list[bytes | None] = []

        async def dial(pool: Pool) -> Pump:
            pump = Pump(pool.loop)
            provider = Provider(pool.loop, pump)
            provider.script = self.script
            pump.connection_made(provider)
            return pump

        monkeypatch.setattr(Pool, "dial", dial)
        monkeypatch.setattr(relay, "pause_s", lambda rounds, asked_s: 0.0)
        self.folder = folder
        self.app: App = micro.make_app(folder, asyncio.get_running_loop(), **changes)
        self.worker = self.app.worker

    async def warm(self) -> None:
        self.script[:] = [OK]
        await self.app.__rsgi__(micro.Scope(BODY), micro.Server(BODY))

    def begin(
        self, way: str, server: micro.Server, script: list[bytes | None], body: bytes = b""
    ) -> tuple[asyncio.Future[None], Any]:
        """One call: what it ends with, and the client."""
        self.script[:] = script
        scope, client = micro.Scope(body or BODY), micro.Client(micro.Scope(body or BODY), server, 1)
        if way == PLAIN:
            return asyncio.ensure_future(micro.serve(self.app, [client], status=0)), client
        return asyncio.ensure_future(self.app.__rsgi__(scope, server)), client

    def records(self) -> list[dict[str, Any]]:
        """What the journal says, without what differs from call to call or is keyed by the worker's own secret."""
        reader = JournalReader(self.folder / "state" / "journal")
        records = [msgspec.structs.asdict(decode(record.body)) for record in reader.records(self.worker.epoch)]
        for record in records:
            for name in ("id", "at_ns", "duration_us", "head_us"):
                del record[name]
            record["sightings"] = [msgspec.structs.replace(seen, marks=b"") for seen in record["sightings"]]
            record["verdicts"] = [msgspec.structs.replace(verdict, match="") for verdict in record["verdicts"]]
            record["attempts"] = [msgspec.structs.replace(attempt, duration_us=0) for attempt in record["attempts"]]
        return records

    def left(self) -> tuple[int, int]:
        """Calls and slots that are still taken."""
        return len(self.worker.calls), self.worker.flight.in_flight


@contextmanager
def house(folder: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> Iterator[House]:
    made = House(folder, monkeypatch, **changes)
    try:
        yield made
    finally:
        made.worker.close()


def seen(server: micro.Server) -> tuple[Any, ...]:
    """What the client got, without what differs from call to call."""
    own = ("call-id", "request-id", "latency-ms")
    return server.status, [line for line in server.headers if not line[0].endswith(own)], ID.sub(b"", server.body_sent)


def both(
    folder: Path, monkeypatch: pytest.MonkeyPatch, go: Callable[[House, str], Any], **changes: Any
) -> tuple[Any, Any]:
    """What `go` gives for each way."""

    async def run() -> Any:
        found = []
        for way in (TASK, PLAIN):
            with house(folder / way.split()[0], monkeypatch, **changes) as of:
                await of.warm()
                found.append((await go(of, way), of.records(), of.left()))
        return found

    task, plain = alone(run)
    return task, plain


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
    screen = Guards.screen

    def counting(self: Guards, body: bytes, *more: Any) -> Any:
        judged.append(body)
        return screen(self, body, *more)

    async def go(of: House, way: str) -> Any:
        judged.clear()
        server = micro.Server(BODY)
        ended, _ = of.begin(way, server, SCRIPTS[name])
        await ended
        assert judged == [BODY]
        return seen(server)

    monkeypatch.setattr(Guards, "screen", counting)
    task, plain = both(tmp_path, monkeypatch, go, guards=(GuardRow("secrets", "block"),))
    assert plain == task


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

            monkeypatch.setattr(Wire, where, fault)
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
