"""The supervisor with real processes: what dies comes back, what drains loses nothing, what cannot start says why."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench.load.ports import free_port
from fastgate import proc
from tests.support.admin import admin, all_up, message, status, until
from tests.support.command import environment
from tests.support.gateway import Gateway, serving
from tests.support.sim import SimProcess

pytestmark = pytest.mark.faults

BACK_S = 15.0
"""A killed plane is back within this on a busy machine; alone it takes two seconds."""


@pytest.fixture
def gateway(tmp_path: Path, upstream: SimProcess) -> Iterator[Gateway]:
    with serving(tmp_path, upstream.url, workers=2) as running_gateway:
        all_up(running_gateway)
        yield running_gateway


def run_json(gateway: Gateway) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((gateway.directory / "fastgate-data" / "run.json").read_text())
    return told


def adopted(gateway: Gateway) -> dict[str, Any]:
    """The status, once no worker is still without a snapshot."""
    told = status(gateway)
    return told if all(worker["generation"] for worker in told["workers"]) else {}


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
