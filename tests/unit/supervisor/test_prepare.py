"""What must be true before a start and what is said when it is not; the orphans that a first process inherits."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bench.load.ports import free_port
from fastgate.config import Tls
from fastgate.runinfo import RunInfo, admin_token, is_running, read, remove, write
from fastgate.state import StateDir
from fastgate.supervisor.prepare import (
    BAD_INPUT,
    REFUSED,
    StartError,
    prepare,
    require_certificate,
    require_free,
)
from fastgate.supervisor.ready import failure_told, reachable
from tests.support.tls import certificate

CONFIG = """\
version: 1
listen: 127.0.0.1:{listen}
control: {{listen: 127.0.0.1:{control}}}
workers: 3
state: data
endpoints: [{{name: a, kind: compatible, base_url: "http://127.0.0.1:9"}}]
"""


def config_in(folder: Path, more: str = "") -> Path:
    path = folder / "fastgate.yaml"
    path.write_text(CONFIG.format(listen=free_port(), control=free_port()) + more)
    return path


def test_a_good_start_has_the_state_locked_and_the_board_clean(tmp_path: Path) -> None:
    path = config_in(tmp_path)
    first = prepare(path, None)
    assert first.workers == 3
    first.board.draining = True
    first.board.stop_at_ns = 5
    with pytest.raises(StartError, match=f"process {os.getpid()}") as refused:
        prepare(path, None)
    assert refused.value.exit_code == REFUSED
    first.close()
    second = prepare(path, 7)
    assert second.workers == 7
    assert (second.board.draining, second.board.stop_at_ns) == (False, 0)
    assert second.token == first.token
    second.close()


def test_a_failed_start_leaves_the_state_unlocked(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        path = tmp_path / "fastgate.yaml"
        path.write_text(CONFIG.format(listen=other.getsockname()[1], control=free_port()))
        with pytest.raises(StartError, match="is taken by"):
            prepare(path, None)
    prepare(path, None).close()


def test_every_mistake_of_the_file_is_in_the_one_error(tmp_path: Path) -> None:
    with pytest.raises(StartError) as bad:
        prepare(config_in(tmp_path, "limts: {}\nworker: 1\n"), None)
    assert bad.value.exit_code == BAD_INPUT
    assert "limts" in bad.value.message
    assert "worker" in bad.value.message


def test_a_shared_port_counts_as_taken() -> None:
    """Granian sets SO_REUSEPORT: without this look a second gateway would get half of the first one's calls."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(StartError, match=f"port {port} is taken"):
            require_free("listen", f"127.0.0.1:{port}")
    require_free("listen", f"127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("address", "said"),
    [("192.0.2.1:8080", "does not have that address"), ("no-such-host.invalid:80", "cannot be resolved")],
)
def test_addresses_that_cannot_be_listened_on(address: str, said: str) -> None:
    with pytest.raises(StartError, match=said):
        require_free("listen", address)


def test_the_token_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    prepared = prepare(config_in(tmp_path), None)
    state = StateDir(tmp_path / "data")
    assert state.admin_token.stat().st_mode & 0o777 == 0o600
    assert len(prepared.token) >= 40
    assert admin_token(prepared.config, state) == prepared.token
    state.admin_token.write_text("")
    assert len(admin_token(prepared.config, state)) >= 40, "an empty file is no token"
    prepared.close()


def test_a_configured_token_is_not_written_anywhere(tmp_path: Path) -> None:
    path = config_in(tmp_path)
    path.write_text(path.read_text().replace("control: {", "control: {admin_token: a-token-of-my-own-1234, "))
    prepared = prepare(path, None)
    assert prepared.token == "a-token-of-my-own-1234"
    assert not StateDir(tmp_path / "data").admin_token.exists()
    prepared.close()


def test_run_json_tells_and_goes(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    info = RunInfo(os.getpid(), "127.0.0.1:1", "127.0.0.1:2", "token", "/c.yaml", "2026-01-01T00:00:00.000Z", 2, "/s")
    assert read(path) is None
    (tmp_path / ".run.json.0123456789abcdef").write_text("{")  # by one that was killed
    write(path, info)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read(path) == info
    assert set(json.loads(path.read_text())) >= {"pid", "listen", "control", "admin_token", "config", "started_at"}
    assert is_running(info)
    path.write_text("{")
    assert read(path) is None
    remove(path)
    remove(path)
    assert [entry.name for entry in tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("0.0.0.0:80", "127.0.0.1:80"),
        ("[::]:80", "[::1]:80"),
        ("10.0.0.1:80", "10.0.0.1:80"),
        ("localhost:1", "localhost:1"),
    ],
)
def test_an_address_as_this_machine_reaches_it(address: str, here: str) -> None:
    assert reachable(address) == here


def test_what_a_child_says_of_its_start() -> None:
    assert failure_told(b"") is None
    assert failure_told(b'{"error": "half') is None
    assert failure_told(b"ready\n") is None
    told = failure_told(b'{"error":"no","fix":"do","exit_code":2}\n')
    assert told is not None
    assert (told.message, told.fix, told.exit_code) == ("no", "do", 2)
    garbled = failure_told(b"what?\n")
    assert garbled is not None
    assert "what?" in garbled.message


ORPHANS = """
import ctypes, os, signal, subprocess, sys, time
from pathlib import Path
from fastgate.supervisor import Supervisor
from fastgate.supervisor.child import Child
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: as the first process of a container
supervisor = Supervisor(Path("unused"))
kept = supervisor._add(Child("kept", [sys.executable, "-c", "import time; time.sleep(60)"]))
kept.start()
middle = "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'pass'], stdout=-3).pid)"
orphan = int(subprocess.run([sys.executable, "-c", middle], stdout=subprocess.PIPE, check=True).stdout)
for _ in range(500):
    if Path(f"/proc/{orphan}/stat").read_text().split()[2] == "Z":
        break
    time.sleep(0.01)
supervisor._bury_orphans()
print(Path(f"/proc/{orphan}").exists(), kept.reap(), kept.is_running())
kept.send_group(signal.SIGKILL)
"""


def test_orphans_are_buried_and_children_left_to_their_own() -> None:
    env = {**os.environ, "PYTHONPATH": "src"}
    done = subprocess.run(
        [sys.executable, "-c", ORPHANS], env=env, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stdout == "False None True\n", done.stderr


def test_a_certificate_that_cannot_be_served_is_refused_before_anything_starts(tmp_path: Path) -> None:
    made = certificate(tmp_path)
    require_certificate(Tls(cert=str(made.cert), key=str(made.key)))
    for cert, key in ((made.cert, tmp_path / "absent"), (made.key, made.cert)):
        with pytest.raises(StartError, match="no certificate and its key"):
            require_certificate(Tls(cert=str(cert), key=str(key)))
