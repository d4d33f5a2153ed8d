"""The supervisor with real processes: what dies comes back, what drains loses nothing, what cannot start says why."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from fastgate import proc
from tests.support.admin import admin, ask, message, until
from tests.support.command import environment
from tests.support.gateway import Gateway, free_port, serving
from tests.support.raw import Reply, post, read_reply
from tests.support.sim import SimProcess

pytestmark = pytest.mark.faults

DRAINS = [
    pytest.param(24, "tokens=60 gap_ms=60", id="24-streams"),
    pytest.param(500, "tokens=600 gap_ms=100", marks=pytest.mark.slow, id="500-streams"),
]
"""Open streams of a drain, and how long each goes on."""

BACK_S = 15.0
"""A killed plane is back within this on a busy machine; alone it takes two seconds."""


@pytest.fixture
def gateway(tmp_path: Path, upstream: SimProcess) -> Iterator[Gateway]:
    with serving(tmp_path, upstream.url, workers=2) as running_gateway:
        all_up(running_gateway)
        yield running_gateway


def all_up(gateway: Gateway) -> None:
    """The first worker answers a moment before the others and the supervisor are ready."""
    until(lambda: "supervisor: serving" in gateway.log_text(), 20, "the supervisor is up")


def run_json(gateway: Gateway) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((gateway.directory / "fastgate-data" / "run.json").read_text())
    return told


def adopted(gateway: Gateway) -> dict[str, Any]:
    """The status, once no worker is still without a snapshot."""
    told = status(gateway)
    return told if all(worker["generation"] for worker in told["workers"]) else {}


def status(gateway: Gateway) -> dict[str, Any]:
    code, body = admin(gateway, "GET", "/status")
    assert code == 200, body
    assert isinstance(body, dict)
    return body


def processes(gateway: Gateway) -> dict[str, int]:
    """Its direct children by module."""
    found = {}
    for pid in proc.children_of(gateway.process.pid):
        words = psutil.Process(pid).cmdline()
        found[words[words.index("-m") + 1]] = pid
    return found


def family(gateway: Gateway) -> list[psutil.Process]:
    return psutil.Process(gateway.process.pid).children(recursive=True)


def answers(gateway: Gateway) -> bool:
    try:
        return message(gateway)[0] == 200
    except OSError:
        return False


async def open_stream(gateway: Gateway, directive: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A stream whose head has come, so that it is in flight."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(gateway.url.rpartition(":")[2]))
    body = {
        "model": "claude-sonnet-4-5",
        "max_tokens": 4096,
        "stream": True,
        "messages": [{"role": "user", "content": directive}],
    }
    writer.write(post(body, x_api_key=gateway.key))
    await writer.drain()
    return reader, writer


async def to_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timeout_s: float = 60.0) -> Reply:
    try:
        return await read_reply(reader, timeout_s)
    finally:
        writer.close()


async def in_flight(gateway: Gateway, count: int) -> None:
    end = time.monotonic() + 20
    while (now := (await asyncio.to_thread(status, gateway))["in_flight"]) != count:
        assert time.monotonic() < end, f"{now} of {count} calls in flight"
        await asyncio.sleep(0.05)


# -- start ------------------------------------------------------------------------------------------------------------


def test_a_running_instance_tells_of_itself_and_leaves_nothing(tmp_path: Path, upstream: SimProcess) -> None:
    with serving(tmp_path, upstream.url, workers=2) as gateway:
        all_up(gateway)
        run = run_json(gateway)
        path = tmp_path / "fastgate-data" / "run.json"
        assert path.stat().st_mode & 0o777 == 0o600
        assert run["pid"] == gateway.process.pid
        assert run["listen"] == gateway.url.removeprefix("http://")
        until(lambda: {worker["generation"] for worker in status(gateway)["workers"]} == {1}, 5, "both have told it")
        told = status(gateway)
        assert [worker["loop"] for worker in told["workers"]] == ["uvloop", "uvloop"]
        assert {worker["generation"] for worker in told["workers"]} == {told["generation"]}
        assert told["supervisor_pid"] == gateway.process.pid
        assert told["workers_configured"] == 2
        assert told["open_files"] == psutil.Process(gateway.process.pid).rlimit(psutil.RLIMIT_NOFILE)[1]
        for process in family(gateway):
            assert process.rlimit(psutil.RLIMIT_CORE) == (0, 0), "a core file would hold prompts and keys"
        children = family(gateway)
        assert gateway.stop() == 0
        assert not path.exists()
        assert not [process for process in children if process.is_running()]


def start(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`fastgate serve` that is expected to end by itself."""
    command = [sys.executable, "-m", "fastgate.cli", "serve", "-c", "fastgate.yaml", *words]
    return subprocess.run(
        command, cwd=directory, env=environment(), capture_output=True, text=True, timeout=60, check=False
    )


def test_a_second_gateway_on_the_same_state_is_refused(gateway: Gateway) -> None:
    config = gateway.directory / "fastgate.yaml"
    original = config.read_text()
    config.write_text(original.replace(gateway.url[7:], f"127.0.0.1:{free_port()}"))
    second = start(gateway.directory)
    config.write_text(original)
    assert second.returncode == 1
    assert f"process {gateway.process.pid}" in second.stderr
    assert "Traceback" not in second.stderr
    assert answers(gateway)


CONFIG = """\
version: 1
listen: 127.0.0.1:{listen}
control: {{listen: 127.0.0.1:{control}}}
workers: 1
state: {state}
directory: directory.yaml
endpoints: [{{name: a, kind: compatible, base_url: "http://127.0.0.1:9"}}]
"""


def test_what_stands_in_the_way_of_a_start_is_said_in_a_sentence(tmp_path: Path, gateway: Gateway) -> None:
    """Each with its exit code and what to do. Nothing is left running and no traceback is shown."""
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "a-file").write_text("not a directory")
    good = {"listen": free_port(), "control": free_port(), "state": "data"}
    taken = int(gateway.url.rpartition(":")[2])
    directory = "orgs: [{id: acme}]\nteams: [{id: a, org: acme}]\nusers: [{id: u, team: nowhere}]\nkeys: [{id: k}]\n"
    cases: list[tuple[str, str, int, list[str]]] = [
        (CONFIG.format(**good | {"listen": taken}), "", 1, [f"port {taken} is taken by", "(pid", "fix:"]),
        (CONFIG.format(**good | {"control": taken}), "", 1, ["control.listen", f"port {taken} is taken"]),
        (CONFIG.format(**good | {"state": "a-file"}), "", 1, ["a-file is a file"]),
        (CONFIG.format(**good).replace("127.0.0.1:9", "h:p"), "", 2, ["endpoints[0].base_url", "fix:"]),
        (CONFIG.format(**good) + "limts: {}\nworker: 2\n", "", 2, ["limts", "limits", "worker", "workers"]),
        (CONFIG.format(**good), directory, 2, ["users[0].team", "keys[0]", "directory.yaml"]),
        (CONFIG.format(**good).replace("127.0.0.1:" + str(good["listen"]), "192.0.2.1:80"), "", 1, ["not have that"]),
    ]
    for config, directory_text, code, words in cases:
        (folder / "fastgate.yaml").write_text(config)
        (folder / "directory.yaml").write_text(directory_text or "orgs: []\n")
        done = start(folder)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        assert [word for word in words if word not in done.stderr] == [], done.stderr
    assert not (folder / "data" / "run.json").exists()


# -- drain ------------------------------------------------------------------------------------------------------------


@pytest.mark.promise("P-15", bound="500 open streams of 20 s and a SIGTERM: all end whole")
@pytest.mark.parametrize(("count", "text"), DRAINS)
async def test_a_drain_loses_no_stream(tmp_path: Path, upstream: SimProcess, count: int, text: str) -> None:
    upstream.fresh()
    with serving(tmp_path, upstream.url, workers=2) as gateway:
        streams = [await open_stream(gateway, f"[[sim:text {text}]]") for _ in range(count)]
        await in_flight(gateway, count)
        gateway.process.send_signal(signal.SIGTERM)
        waiting = asyncio.gather(*(to_the_end(*stream) for stream in streams))
        await asyncio.sleep(0.3)

        ready = await asyncio.to_thread(ask, gateway.url, "GET", "/readyz")
        assert ready[0] == 503
        refused = await asyncio.to_thread(message, gateway)
        assert refused[0] == 503
        assert refused[1]["connection"] == "close"
        assert json.loads(refused[2])["error"]["type"] == "overloaded_error"
        assert gateway.process.poll() is None, "it must wait for the open streams"

        for reply in await waiting:
            assert reply.status == 200
            assert reply.events()[-1][0] == "message_stop"
            assert b"\n: fastgate {" in reply.body, "the closing line with the cost"
        assert await asyncio.to_thread(gateway.process.wait, 30) == 0
        shown = gateway.cli("calls", "list", "--json", "--limit", str(2 * count)).json["items"]
        billed = {call.started.id for call in upstream.calls()}
        assert len(billed) == count, "no refused call reached the provider"
        assert [call["outcome"] for call in shown if call["outcome"] != "refused"] == ["ok"] * count


@pytest.mark.promise("P-15", bound="bodies that are still coming at a SIGTERM are waited for, and their calls served")
async def test_a_drain_waits_for_bodies(tmp_path: Path, upstream: SimProcess) -> None:
    with serving(tmp_path, upstream.url, workers=1) as gateway:
        uploads = [await slow_upload(gateway, chunked) for chunked in (False, True)]
        await in_flight(gateway, 2)
        gateway.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(1.2)
        assert gateway.process.poll() is None, "it must wait for the bodies"
        for (reader, writer), end in zip(uploads, (b"", b"\r\n0\r\n\r\n"), strict=True):
            writer.write(b"." * SLOW_HALF + b'"}]}' + end)
            reply = await to_the_end(reader, writer)
            assert reply.status == 200, reply.body
        assert await asyncio.to_thread(gateway.process.wait, 30) == 0
        assert [call["outcome"] for call in gateway.cli("calls", "list", "--json").json["items"]] == ["ok"] * 2


SLOW_HALF = 4_096


async def slow_upload(gateway: Gateway, chunked: bool) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """The head and half of a body; the rest is for whoever waits for it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(gateway.url.rpartition(":")[2]))
    said = b'{"model": "claude-sonnet-4-5", "max_tokens": 16, "messages": [{"role": "user", "content": "'
    size = len(said) + 2 * SLOW_HALF + len(b'"}]}')
    framing = f"transfer-encoding: chunked\r\n\r\n{size:x}" if chunked else f"content-length: {size}\r\n"
    head = f"POST /v1/messages HTTP/1.1\r\nhost: gateway\r\nx-api-key: {gateway.key}\r\n{framing}\r\n"
    writer.write(head.encode() + said + b"." * SLOW_HALF)
    await writer.drain()
    return reader, writer


async def test_a_drain_ends_at_its_deadline(tmp_path: Path, upstream: SimProcess) -> None:
    """A stream that would take two minutes is broken off, is recorded, and does not hold the exit up; nor does a body
    that never comes, whose client is told."""
    with serving(tmp_path, upstream.url, workers=1, more="limits: {drain_s: 1}\n") as gateway:
        stream = await open_stream(gateway, "[[sim:text tokens=2000 gap_ms=60]]")
        upload = await slow_upload(gateway, chunked=False)
        await in_flight(gateway, 2)
        began = time.monotonic()
        gateway.process.send_signal(signal.SIGTERM)
        reply = await to_the_end(*stream)
        assert await asyncio.to_thread(gateway.process.wait, 30) == 0
        took_s = time.monotonic() - began
        assert 1.0 <= took_s < 30.0
        assert reply.ended in ("fin", "rst"), "a broken stream, never one that looks whole"
        assert "message_stop" not in [name for name, _ in reply.events()]
        told = await to_the_end(*upload)
        assert (told.status, told.headers["retry-after"]) == (503, "1")
        assert json.loads(told.body)["error"]["type"] == "overloaded_error"
        calls = {call["outcome"]: call for call in gateway.cli("calls", "list", "--json").json["items"]}
        assert set(calls) == {"cancelled", "refused"}
        assert calls["cancelled"]["usage"]["output_tokens"] > 0, "what was seen is charged"


SHORT_OF_MONEY = """\
budgets:
  - {id: cap, level: team, of: platform, period: total, usd: 0.1, stages: [{at: 1.0, do: pause}]}
"""
"""A call of `open_stream` holds six cents."""


@pytest.mark.promise("P-15", bound="calls that wait for money when a drain has to end are told to come again")
async def test_a_drain_tells_those_who_wait_for_money(tmp_path: Path, upstream: SimProcess) -> None:
    """They waited for what another call held; the money is there when that is cut, and buys nothing any more."""
    upstream.fresh()
    more = "limits: {drain_s: 1, budget_wait_ms: 60000}\n"
    with serving(tmp_path, upstream.url, workers=1, more=more, budgets=SHORT_OF_MONEY) as gateway:
        stream = await open_stream(gateway, "[[sim:text tokens=2000 gap_ms=60]]")
        await in_flight(gateway, 1)
        waiting = [await open_stream(gateway, "[[sim:text tokens=10]]") for _ in range(3)]
        await in_flight(gateway, 4)
        gateway.process.send_signal(signal.SIGTERM)
        for reply in await asyncio.gather(*(to_the_end(*each) for each in waiting)):
            assert (reply.status, reply.headers["retry-after"]) == (503, "1"), reply.body
            assert json.loads(reply.body)["error"]["type"] == "overloaded_error"
        assert (await to_the_end(*stream)).ended in ("fin", "rst")
        assert await asyncio.to_thread(gateway.process.wait, 30) == 0
        outcomes = [call["outcome"] for call in gateway.cli("calls", "list", "--json").json["items"]]
        assert sorted(outcomes) == ["cancelled", "refused", "refused", "refused"]
        assert len(upstream.calls()) == 1


async def test_asking_twice_hastens(gateway: Gateway) -> None:
    stream = await open_stream(gateway, "[[sim:text tokens=2000 gap_ms=60]]")
    await in_flight(gateway, 1)
    gateway.process.send_signal(signal.SIGINT)
    await asyncio.sleep(1.0)
    assert gateway.process.poll() is None
    gateway.process.send_signal(signal.SIGINT)
    reply = await to_the_end(*stream, timeout_s=15.0)
    assert reply.ended in ("fin", "rst")
    assert await asyncio.to_thread(gateway.process.wait, 20) == 0


async def test_a_stop_in_the_middle_of_a_start_drains_too(tmp_path: Path, upstream: SimProcess) -> None:
    """The data plane takes calls a moment before its supervisor knows."""
    gateway = Gateway(tmp_path, upstream.url, listen=free_port(), control=free_port(), workers=2)
    try:
        await asyncio.to_thread(until, lambda: message_or_none(gateway) == 200, 30, "the first call is answered")
        stream = await open_stream(gateway, "[[sim:text tokens=40 gap_ms=50]]")
        gateway.process.send_signal(signal.SIGTERM)
        reply = await to_the_end(*stream)
        assert reply.status == 503 or reply.events()[-1][0] == "message_stop", "refused, or finished"
    finally:
        assert await asyncio.to_thread(gateway.stop) == 0


def message_or_none(gateway: Gateway) -> int | None:
    try:
        return message(gateway)[0]
    except OSError:
        return None


async def test_ctrl_c_reaches_the_supervisor_alone(tmp_path: Path, upstream: SimProcess) -> None:
    """A terminal sends SIGINT to the whole process group: the planes must not hear it."""
    with serving(tmp_path, upstream.url, workers=1) as gateway:
        groups = {os.getpgid(pid) for pid in processes(gateway).values()}
        assert os.getpgid(gateway.process.pid) not in groups
        assert len(groups) == 2


# -- death ------------------------------------------------------------------------------------------------------------


def test_the_data_plane_serves_while_the_control_plane_is_away(gateway: Gateway) -> None:
    before = status(gateway)
    (gateway.directory / "fastgate.yaml").write_text("endpoints: [{nme: broken}]\n")
    psutil.Process(before["control_pid"]).send_signal(signal.SIGKILL)
    assert message(gateway)[0] == 200
    after = until(lambda: alive_status(gateway), BACK_S, "the control plane is back")
    assert after["control_pid"] != before["control_pid"]
    assert after["endpoints"] == 1, "what was in force still is, whatever the file says now"
    assert [worker["pid"] for worker in after["workers"]] == [worker["pid"] for worker in before["workers"]]
    until(lambda: admin(gateway, "GET", "/calls")[1]["items"], 5, "the call is counted")
    code, body = admin(gateway, "POST", "/reload")
    assert (code, body["error"]["problems"][0]["path"]) == (422, "endpoints[0].nme")


def alive_status(gateway: Gateway) -> dict[str, Any] | None:
    try:
        return status(gateway)
    except OSError:
        return None


def test_a_reload_that_finds_the_control_plane_away_is_not_lost(gateway: Gateway) -> None:
    before = status(gateway)
    config = gateway.directory / "fastgate.yaml"
    config.write_text(config.read_text().replace("name: scripted", "name: renamed"))
    os.kill(before["control_pid"], signal.SIGKILL)
    until(lambda: "control plane" in gateway.log_text(), 5, "its death was seen")
    gateway.process.send_signal(signal.SIGHUP)
    until(lambda: name_of_endpoint(gateway) == "renamed", BACK_S, "the reload was made up for")


def name_of_endpoint(gateway: Gateway) -> str | None:
    try:
        name: str = admin(gateway, "GET", "/endpoints")[1]["items"][0]["name"]
    except OSError:
        return None
    return name


def test_a_killed_data_plane_comes_back(gateway: Gateway) -> None:
    main = processes(gateway)["fastgate.gateway.serve"]
    workers = [worker["pid"] for worker in status(gateway)["workers"]]
    os.kill(main, signal.SIGKILL)
    until(lambda: not any(proc.is_alive(pid) for pid in workers), 5, "its workers die with it")
    until(lambda: answers(gateway), BACK_S, "calls are served again")
    assert processes(gateway)["fastgate.gateway.serve"] != main
    assert "a child ended" in gateway.log_text()


def test_a_killed_worker_is_replaced(gateway: Gateway) -> None:
    first = {worker["pid"] for worker in status(gateway)["workers"]}
    for pid in first:
        os.kill(pid, signal.SIGKILL)
    until(lambda: answers(gateway), BACK_S, "calls are served again")
    until(
        lambda: len({worker["pid"] for worker in status(gateway)["workers"]} - first) == 2, BACK_S, "both are replaced"
    )


def test_everything_dies_with_a_killed_supervisor(tmp_path: Path, upstream: SimProcess) -> None:
    with serving(tmp_path, upstream.url, workers=2) as gateway:
        all_up(gateway)
        pids = [process.pid for process in family(gateway)]
        assert len(pids) >= 4
        gateway.process.kill()
        gateway.process.wait()
        until(lambda: not any(proc.is_alive(pid) for pid in pids), 5, "no process is left")
    with serving(tmp_path, upstream.url, workers=1) as again:  # the lock is free and the stale run.json no obstacle
        assert answers(again)
        assert run_json(again)["pid"] == again.process.pid
