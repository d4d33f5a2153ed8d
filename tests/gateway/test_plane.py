"""The worker around the calls: snapshots swap, endpoints fail over, TLS is checked, drains refuse, journals wait."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from bench.load.ports import free_port
from tests.support.plane import KEY, LIMITS, Plane, body, endpoint
from tests.support.sim import SimProcess, running


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[SimProcess]:
    with running(tmp_path / "sim") as process:
        yield process


@pytest.fixture
def plane(simulator: SimProcess, tmp_path: Path) -> Iterator[Plane]:
    made = Plane(tmp_path, (endpoint(simulator.url),))
    yield made
    made.stop()


def until(plane: Plane, status: int, within_s: float = 1.0) -> float:
    """Seconds until a call answers with `status`."""
    begun = time.monotonic()
    while (got := plane.message().status) != status:
        assert time.monotonic() - begun < within_s, got
    return time.monotonic() - begun


def test_a_revoked_key_is_out_within_a_second_and_calls_under_way_finish(plane: Plane) -> None:
    plane.start()
    answers: list[int] = []
    slow = threading.Thread(target=lambda: answers.append(plane.message("[[sim:fault stall_head_s=1.5]]").status))
    slow.start()
    time.sleep(0.3)
    kept, plane.keys = plane.keys, plane.keys[1:]
    plane.publish()
    until(plane, 401)
    plane.keys = kept
    plane.publish()
    until(plane, 200)
    slow.join()
    assert answers == [200]


def test_a_key_expires_by_itself(plane: Plane) -> None:
    plane.start()
    assert plane.message().status == 200
    not_after_ns = time.time_ns() + 1_000_000_000
    plane.keys = [msgspec.structs.replace(plane.keys[0], not_after_ns=not_after_ns)]
    plane.publish()
    until(plane, 401, within_s=15.0)
    assert time.time_ns() >= not_after_ns


def test_a_broken_snapshot_changes_nothing(plane: Plane) -> None:
    plane.start()
    plane.state.snapshot.write_bytes(b"not a snapshot")
    plane.board.generation += 1
    time.sleep(0.3)
    assert plane.message().status == 200
    assert "cannot be read" in plane.log_text()
    plane.generation += 1
    plane.publish()
    time.sleep(0.2)
    assert plane.message().status == 200


def test_an_endpoint_that_refuses_connections_is_passed_over(plane: Plane, simulator: SimProcess) -> None:
    dead = endpoint(f"http://127.0.0.1:{free_port()}", "dead")
    plane.endpoints = (dead, endpoint(simulator.url, "alive"))
    plane.publish()
    plane.start()
    answer = plane.message()
    (record,) = plane.settled(1)
    assert (answer.status, answer.headers["x-fastgate-provider"]) == (200, "alive")
    assert [(attempt.endpoint, attempt.error) for attempt in record.attempts] == [("dead", "connect"), ("alive", "")]


def test_no_endpoint_answers(plane: Plane) -> None:
    plane.endpoints = (endpoint(f"http://127.0.0.1:{free_port()}", "dead"),)
    plane.publish()
    plane.start()
    answer = plane.message()
    (record,) = plane.settled(1)
    assert (answer.status, answer.json()["error"]["type"]) == (529, "overloaded_error")
    assert (record.outcome, record.error, record.cost_nano, record.endpoint) == ("upstream_error", "connect", 0, "")


def test_deadlines_of_the_upstream(plane: Plane) -> None:
    plane.limits = msgspec.structs.replace(LIMITS, first_byte_s=0.3, idle_s=0.5)
    plane.publish()
    plane.start()
    assert plane.message("[[sim:fault stall_head_s=5]]").status == 529
    with pytest.raises(Exception, match=r".*"):
        plane.message("[[sim:stall stall_at=4 stall_s=5 tokens=40]]", stream=True)
    first, second = plane.settled(2)
    assert (first.error, first.outcome) == ("first_byte_timeout", "upstream_error")
    assert (second.error, second.outcome) == ("idle_timeout", "upstream_error")
    assert second.cost_nano > 0


def test_a_silent_upstream_is_covered_by_pings(plane: Plane) -> None:
    plane.limits = msgspec.structs.replace(LIMITS, ping_s=0.2)
    plane.publish()
    plane.start()
    answer = plane.message("[[sim:stall stall_at=4 stall_s=1 tokens=40]]", stream=True)
    assert answer.body.count(b"event: ping") >= 3
    assert b"message_stop" in answer.body
    assert plane.settled(1)[0].outcome == "ok"


def test_draining_refuses_new_calls_and_finishes_open_ones(plane: Plane) -> None:
    plane.start()
    answers: list[bytes] = []
    prompt = "[[sim:stall stall_at=4 stall_s=1 tokens=40]]"
    slow = threading.Thread(target=lambda: answers.append(plane.message(prompt, stream=True).body))
    slow.start()
    time.sleep(0.4)
    plane.board.draining = True
    refused = plane.message()
    assert (refused.status, refused.headers["connection"]) == (503, "close")
    assert refused.json()["error"]["type"] == "overloaded_error"
    assert refused.headers["retry-after"].isdecimal()
    assert plane.request("GET", "/readyz").status == 503
    assert plane.request("GET", "/healthz").status == 200
    slow.join()
    assert b"message_stop" in answers[0]


def test_calls_past_the_drain_deadline_are_ended_and_recorded(plane: Plane) -> None:
    plane.start()
    done = threading.Event()

    def hang() -> None:
        with pytest.raises(Exception, match=r".*"):
            plane.message("[[sim:stall stall_at=4 stall_s=30 tokens=40]]", stream=True)
        done.set()

    threading.Thread(target=hang).start()
    time.sleep(0.4)
    plane.board.draining = True
    plane.board.stop_at_ns = 1
    (record,) = plane.settled(1)
    assert (record.outcome, record.error) == ("cancelled", "cancelled")
    assert record.cost_nano > 0
    assert done.wait(5)


def test_a_body_that_does_not_arrive(plane: Plane) -> None:
    begun = f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\ncontent-length: 9\r\n\r\n{{".encode()
    plane.limits = msgspec.structs.replace(LIMITS, body_s=0.5)
    plane.publish()
    plane.start()
    with socket.create_connection(("127.0.0.1", plane.port), timeout=5) as client:
        client.sendall(begun)
        assert client.recv(4096).startswith(b"HTTP/1.1 408")
    with socket.create_connection(("127.0.0.1", plane.port), timeout=5) as client:
        client.sendall(begun)
    late, left = plane.settled(2)
    assert (late.error, late.status) == ("body_timeout", 408)
    assert (left.error, left.outcome) == ("client_gone", "client_gone")
    assert plane.message().status == 200


def test_host_and_encoding_are_judged(plane: Plane) -> None:
    plane.start()
    data = json.dumps(body()).encode()
    common = f"x-api-key: {KEY}\r\ncontent-length: {len(data)}\r\n"
    for extra in ("", "host: a\r\nhost: b\r\n", "host: a\r\ncontent-encoding: gzip\r\n"):
        with socket.create_connection(("127.0.0.1", plane.port), timeout=5) as client:
            client.sendall(f"POST /v1/messages HTTP/1.1\r\n{extra}{common}\r\n".encode() + data)
            assert client.recv(4096).startswith(b"HTTP/1.1 400"), extra


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA and a leaf for 127.0.0.1, made by openssl."""
    folder = tmp_path_factory.mktemp("tls")
    leaf = ["subjectAltName=IP:127.0.0.1", "basicConstraints=CA:FALSE", "authorityKeyIdentifier=keyid"]
    (folder / "ext").write_text("\n".join(leaf) + "\n")
    strict = ["-addext", "keyUsage=critical,keyCertSign"]  # Python 3.13 refuses a CA that does not say so
    new = ["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj"]
    for command in (
        [*new, "/CN=test-ca", "-x509", *strict, "-days", "2", "-keyout", "ca.key", "-out", "ca.pem"],
        [*new, "/CN=leaf", "-keyout", "leaf.key", "-out", "leaf.csr"],
        ["openssl", "x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
         "-days", "2", "-extfile", "ext", "-out", "leaf.pem"],
    ):  # fmt: skip
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


def test_upstream_over_tls_is_verified(tmp_path: Path, certificates: Path) -> None:
    assert ssl.OPENSSL_VERSION
    options = ("--tls-cert", str(certificates / "leaf.pem"), "--tls-key", str(certificates / "leaf.key"))
    with running(tmp_path / "sim", *options) as simulator:
        url = f"https://127.0.0.1:{simulator.port}"
        plane = Plane(tmp_path, (endpoint(url, ca_file=str(certificates / "ca.pem")),)).start()
        try:
            assert plane.message().status == 200
            assert b"message_stop" in plane.message(stream=True).body
            plane.endpoints = (endpoint(url),)
            plane.publish()
            time.sleep(0.2)
            assert plane.message().status == 529
            assert plane.settled(3)[-1].error == "connect"
        finally:
            plane.stop()


def test_a_worker_that_is_killed_is_replaced_at_once_again_and_again(plane: Plane) -> None:
    import psutil

    plane.workers = 2
    plane.start()
    assert plane.process is not None
    for _ in range(6):  # Granian's own supervision gives up when one worker dies twice within 5.5 s
        workers = psutil.Process(plane.process.pid).children()
        workers[0].kill()
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            alive = {child.pid for child in psutil.Process(plane.process.pid).children() if child.is_running()}
            if len(alive - {workers[0].pid}) == 2:
                break
            time.sleep(0.05)
        time.sleep(0.3)
    plane.wait_answers()
    assert [plane.message().status for _ in range(10)] == [200] * 10
    assert plane.process.poll() is None
