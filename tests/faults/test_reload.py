"""Reloads of a running gateway: each call sees one configuration, a bad file changes nothing, revocation is quick."""

from __future__ import annotations

import asyncio
import http.client
import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bench.load.nginx import fixed_upstream
from fastgate.board import Board
from fastgate.state import StateDir
from tests.support.admin import admin, message, until
from tests.support.flood import Flood, needs_tools
from tests.support.gateway import KEY, Gateway, serving
from tests.support.raw import post, read_reply
from tests.support.sim import SimProcess

pytestmark = pytest.mark.faults

FLIPS = 200
"""Of the long forms, the register's figure. The short form flips a tenth as often: a torn swap shows there as well."""

SAYS = ("provider", "guard", "cost")
"""What of an answer's head differs between two configurations."""

SIDES = {
    "one": (1, "not-scanned", ""),
    "two": (2, "pass", "{use: keywords, action: log, settings: {words: [nightfall]}}"),
}
"""Two configurations: the endpoint's name, what the list price is multiplied by, what the guards say, and the guard
that is on. A call that mixes them says something that neither has."""

CALLS_PER_S = 5_000
"""The register's figure. 18,000 were counted on two cores that generator and upstream shared with two workers."""

CONNECTIONS = 64

NOTICED_S = 0.06
"""Workers look at the board every 50 ms."""

QUESTION = {"role": "user", "content": "hello"}


@pytest.fixture
def gateway(tmp_path: Path, upstream: SimProcess) -> Iterator[Gateway]:
    with serving(tmp_path, upstream.url, workers=2) as running_gateway:
        yield running_gateway


def flip(gateway: Gateway, original: str, name: str) -> None:
    factor, _, guard = SIDES[name]
    more = f'prices: {{overrides: [{{model: "*", multiply: {factor}}}]}}\nguards: [{guard}]\n'
    write(gateway, original.replace("name: scripted", f"name: {name}").replace("guards: []\n", "") + more)


def write(gateway: Gateway, text: str, name: str = "fastgate.yaml") -> None:
    """As editors and deployments do it: whole or not at all."""
    temporary = gateway.directory / f"{name}.{threading.get_ident()}"
    temporary.write_text(text)
    temporary.rename(gateway.directory / name)


def log_of(gateway: Gateway) -> str:
    return (gateway.directory / "gateway.log").read_text(errors="replace")


def generation(gateway: Gateway) -> int:
    return int(admin(gateway, "GET", "/status")[1]["generation"])


def adopted(gateway: Gateway, wanted: int) -> bool:
    return all(worker["generation"] >= wanted for worker in admin(gateway, "GET", "/status")[1]["workers"])


class Caller(threading.Thread):
    """Calls over one kept connection without a pause, until told to stop; what each answer said."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__()
        self.seen: Counter[tuple[int, str, str, Decimal]] = Counter()
        self.done = threading.Event()
        self._connection = http.client.HTTPConnection("127.0.0.1", int(gateway.url.rpartition(":")[2]), timeout=10)

    def run(self) -> None:
        data = json.dumps({"model": "claude-sonnet-4-5", "max_tokens": 64, "messages": [QUESTION], "stream": False})
        while not self.done.is_set():
            self._connection.request("POST", "/v1/messages", data, {"x-api-key": KEY})
            answer = self._connection.getresponse()
            answer.read()
            said = [answer.headers[f"x-fastgate-{name}"] for name in SAYS]
            self.seen[answer.status, said[0], said[1], Decimal(said[2])] += 1
        self._connection.close()


@pytest.mark.promise("P-26", bound=f"{FLIPS} flips under load: endpoint, price and guard of each call are of one side")
@pytest.mark.parametrize(
    "flips", [FLIPS // 10, pytest.param(FLIPS, marks=[pytest.mark.slow, pytest.mark.timeout(300)])]
)
def test_every_call_sees_exactly_one_configuration(gateway: Gateway, flips: int) -> None:
    original = (gateway.directory / "fastgate.yaml").read_text()
    base = Decimal(message(gateway)[1]["x-fastgate-cost"])
    begin_with_one(gateway, original)
    callers = [Caller(gateway) for _ in range(3)]
    for caller in callers:
        caller.start()
    flip_over_and_over(gateway, original, flips)
    for caller in callers:
        caller.done.set()
    for caller in callers:
        caller.join()
    seen = sum((caller.seen for caller in callers), Counter())
    assert set(seen) == {(200, name, guard, base * factor) for name, (factor, guard, _) in SIDES.items()}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.promise("P-26", bound=f"{FLIPS} flips beside {CALLS_PER_S:,} calls a second or more: no call mixes two")
def test_so_does_each_of_thousands_a_second(tmp_path: Path) -> None:
    needs_tools()
    (tmp_path / "gateway").mkdir()
    with fixed_upstream(tmp_path / "mock") as provider, serving(tmp_path / "gateway", provider.url, 2) as gateway:
        original = (gateway.directory / "fastgate.yaml").read_text()
        base = Decimal(message(gateway)[1]["x-fastgate-cost"])
        begin_with_one(gateway, original)
        flood = Flood(tmp_path, gateway.url, gateway.key, [f"x-fastgate-{name}" for name in SAYS], CONNECTIONS)
        began = time.monotonic()
        flip_over_and_over(gateway, original, FLIPS)
        took_s = time.monotonic() - began
        seen, lost = flood.end()
        print(f"{FLIPS} flips in {took_s:.1f} s beside {seen.total() / took_s:,.0f} calls a second: {dict(seen)}")
        told = Counter({(status, name, guard, Decimal(cost)): n for (status, name, guard, cost), n in seen.items()})
        assert set(told) == {("200", name, guard, base * factor) for name, (factor, guard, _) in SIDES.items()}
        assert lost == 0
        assert seen.total() >= CALLS_PER_S * took_s
        assert min(told.values()) > seen.total() / 10, "both sides were asked"


def begin_with_one(gateway: Gateway, original: str) -> None:
    flip(gateway, original, "one")
    assert admin(gateway, "POST", "/reload")[0] == 200
    until(lambda: adopted(gateway, generation(gateway)), 2, "the first flip is everywhere")


def flip_over_and_over(gateway: Gateway, original: str, flips: int) -> None:
    """By either way of asking for it; each is published, and stays for longer than workers take to notice."""
    board = Board.open(StateDir(gateway.directory / "fastgate-data").board)
    for n in range(flips):
        at = board.generation
        flip(gateway, original, ("two", "one")[n % 2])
        if n % 2:
            gateway.process.send_signal(signal.SIGHUP)
        else:
            assert admin(gateway, "POST", "/reload")[0] == 200
        until(lambda at=at: board.generation == at + 1, 5, "it is published")
        time.sleep(NOTICED_S)
    board.close()


async def test_a_stream_ends_in_the_configuration_it_began_in(gateway: Gateway) -> None:
    original = (gateway.directory / "fastgate.yaml").read_text()
    reader, writer = await asyncio.open_connection("127.0.0.1", int(gateway.url.rpartition(":")[2]))
    body = {"model": "claude-sonnet-4-5", "max_tokens": 4096, "stream": True}
    body["messages"] = [{"role": "user", "content": "[[sim:text tokens=40 gap_ms=50]]"}]
    writer.write(post(body, x_api_key=gateway.key))
    await asyncio.to_thread(until, lambda: admin(gateway, "GET", "/drain")[1]["in_flight"] == 1, 5, "it is in flight")
    flip(gateway, original, "two")
    assert (await asyncio.to_thread(admin, gateway, "POST", "/reload"))[0] == 200
    await asyncio.to_thread(until, lambda: message(gateway)[1]["x-fastgate-provider"] == "two", 2, "new calls see it")
    reply = await read_reply(reader, 30.0)
    writer.close()
    assert reply.headers["x-fastgate-provider"] == "scripted"
    assert reply.events()[-1][0] == "message_stop"
    usage = dict(reply.events())["message_delta"]["usage"]
    call = until(lambda: streamed(gateway), 2, "it is recorded")
    assert call["usage"]["output_tokens"] == usage["output_tokens"]
    assert (call["endpoint"], call["cost"]) == ("scripted", call["cost_asked"])


def streamed(gateway: Gateway) -> dict[str, Any] | None:
    return next((call for call in admin(gateway, "GET", "/calls")[1]["items"] if call["stream"]), None)


def test_concurrent_reloads_all_end_with_what_is_in_the_file(gateway: Gateway) -> None:
    original = (gateway.directory / "fastgate.yaml").read_text()
    answers: list[int] = []

    def reload(n: int) -> None:
        flip(gateway, original, ("one", "two")[n % 2])
        answers.append(admin(gateway, "POST", "/reload")[0])

    threads = [threading.Thread(target=reload, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    flip(gateway, original, "two")
    assert admin(gateway, "POST", "/reload")[0] == 200
    assert answers == [200] * 8
    assert admin(gateway, "GET", "/endpoints")[1]["items"][0]["name"] == "two"


BAD_FILES = {
    "not yaml": ("fastgate.yaml", "version: [1"),
    "half written": ("fastgate.yaml", "version: 1\nlisten: 127.0.0.1:80"),
    "unknown key": ("fastgate.yaml", "version: 1\nendpoint: []\n"),
    "empty": ("fastgate.yaml", ""),
    "a directory that does not hold together": ("directory.yaml", "users: [{id: u, team: none}]\n"),
    "a directory cut in half": ("directory.yaml", "orgs: [{id: acme}]\nteams: [{id: platform, or"),
}


@pytest.mark.promise("P-26")
def test_a_bad_file_changes_nothing_and_says_why(gateway: Gateway) -> None:
    secret = admin(gateway, "POST", "/keys", {"user": "alice", "id": "stays"})[1]["secret"]
    before = {path: admin(gateway, "GET", path) for path in ("/keys", "/users", "/endpoints", "/audit?limit=1000")}
    at = generation(gateway)
    for what, (name, text) in BAD_FILES.items():
        original = (gateway.directory / name).read_text()
        write(gateway, text, name)
        code, answer = admin(gateway, "POST", "/reload")
        assert code == 422, what
        problems = answer["error"]["problems"]
        assert problems, what
        assert all(problem["file"].endswith(name) for problem in problems), what
        told = log_of(gateway).count("reload refused")
        gateway.process.send_signal(signal.SIGHUP)
        until(lambda told=told: log_of(gateway).count("reload refused") > told, 20, "the log says so")
        write(gateway, original, name)
        assert {path: admin(gateway, "GET", path) for path in before} == before, what
    assert generation(gateway) == at
    assert message(gateway, key=secret)[0] == 200
    (gateway.directory / "directory.yaml").unlink()
    assert admin(gateway, "POST", "/reload")[0] == 422
    assert message(gateway)[0] == 200


def test_a_reload_applies_the_directory_and_tells_what_needs_a_restart(gateway: Gateway) -> None:
    directory = (gateway.directory / "directory.yaml").read_text()
    write(gateway, directory.replace("users: [", "users: [{id: bob, team: platform}, "), "directory.yaml")
    config = (gateway.directory / "fastgate.yaml").read_text()
    write(gateway, config.replace("workers: 2", "workers: 1") + "limits: {body_bytes: 2048}\n")
    answer = admin(gateway, "POST", "/reload")[1]
    assert answer["directory_changes"] == 1
    assert answer["needs_restart"] == ["workers"]
    assert [user["id"] for user in admin(gateway, "GET", "/users")[1]["items"]] == ["alice", "bob"]
    until(lambda: message(gateway, "x" * 4096)[0] == 413, 1, "the new limit holds")
    again = admin(gateway, "POST", "/reload")[1]
    assert (again["changed"], again["directory_changes"]) == (False, 0)
    assert again["generation"] == answer["generation"], "what has not changed is not published again"


@pytest.mark.promise("P-31", bound="1 s")
def test_a_revoked_key_is_out_of_every_worker_within_a_second(gateway: Gateway) -> None:
    worst_s = 0.0
    for n in range(5):
        secret = admin(gateway, "POST", "/keys", {"user": "alice", "id": f"short-{n}"})[1]["secret"]
        until(lambda secret=secret: message(gateway, key=secret)[0] == 200, 1, "the key is known")
        began = time.monotonic()
        assert admin(gateway, "POST", f"/keys/short-{n}/revoke")[0] == 200
        revoked = generation(gateway)
        until(lambda wanted=revoked: adopted(gateway, wanted), 1, "every worker has the snapshot without it")
        worst_s = max(worst_s, time.monotonic() - began)
        assert {message(gateway, key=secret)[0] for _ in range(10)} == {401}
    assert worst_s < 1.0


def test_an_expired_key_leaves_the_snapshot_by_itself(gateway: Gateway) -> None:
    keys_before = admin(gateway, "GET", "/status")[1]["keys"]
    ends = time.time() + 2.0
    made = admin(gateway, "POST", "/keys", {"user": "alice", "id": "brief", "expires": f"{ends:.3f}"})[1]
    until(lambda: message(gateway, key=made["secret"])[0] == 200, 1, "the key is known")
    at = generation(gateway)
    assert admin(gateway, "GET", "/status")[1]["keys"] == keys_before + 1
    time.sleep(max(0.0, ends - time.time()))
    assert message(gateway, key=made["secret"])[0] == 401, "workers refuse it to the moment"
    until(lambda: admin(gateway, "GET", "/status")[1]["keys"] == keys_before, 3, "it is out of the snapshot")
    assert generation(gateway) > at
    assert admin(gateway, "GET", "/keys/brief")[1]["state"] == "expired"


def test_what_is_shown_survives_a_restart(tmp_path: Path, upstream: SimProcess) -> None:
    """Keys made by hand, the token, spend: all as before."""
    with serving(tmp_path, upstream.url) as gateway:
        secret = admin(gateway, "POST", "/keys", {"user": "alice", "id": "lasting"})[1]["secret"]
        until(lambda: message(gateway, key=secret)[0] == 200, 1, "the key is known")
        time.sleep(1.5)  # every finished call is counted by now, refusals from before the key was known included
        before: dict[str, Any] = total(gateway)
    with serving(tmp_path, upstream.url) as gateway:
        assert message(gateway, key=secret)[0] == 200
        assert [key["id"] for key in admin(gateway, "GET", "/keys")[1]["items"]] == ["alice-laptop", "lasting"]
        until(lambda: total(gateway)["calls"] == before["calls"] + 1, 2, "the new call is counted, the old not again")


def total(gateway: Gateway) -> dict[str, Any]:
    found: dict[str, Any] = admin(gateway, "GET", "/spend")[1]["total"]
    return found
