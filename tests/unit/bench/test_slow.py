"""bench.slow: its calls come at their rate and its attackers are slow; what is held against what."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bench import slow_client, steady
from bench.slow import Beside, Found, attack, section, situations
from bench.steady import times_of

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


@contextmanager
def listening() -> Iterator[tuple[int, list[bytes]]]:
    """A port, and what each connection to it has sent so far."""
    said: list[bytes] = []

    def serve(connection: socket.socket, number: int) -> None:
        with connection:
            while piece := connection.recv(65_536):
                said[number] += piece
                if answers and said[number].endswith(b"}"):
                    said[number] = b""
                    connection.sendall(ANSWER)

    def accept() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            said.append(b"")
            threading.Thread(target=serve, args=(connection, len(said) - 1), daemon=True).start()

    answers = True
    with socket.create_server(("127.0.0.1", 0), backlog=256) as server:
        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1], said
        server.shutdown(socket.SHUT_RDWR)


def test_steady_calls_come_at_their_rate() -> None:
    with listening() as (port, said):
        times = times_of(port, 200, 1.0, "any")
        assert len(times) == pytest.approx(200, abs=60)
        assert all(0 < time_ms < 1_000 for time_ms in times)
        assert len(said) == steady.CONNECTIONS


def test_calls_that_are_refused_are_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "ANSWER", ANSWER.replace(b"200 OK", b"503 Busy"))
    with listening() as (port, _), pytest.raises(RuntimeError, match="of the steady calls were not answered with 200"):
        times_of(port, 100, 0.2, "any")


@pytest.mark.parametrize("kind", ["heads", "bodies"])
def test_an_attacker_sends_a_little_and_never_all(kind: str) -> None:
    beside = Beside("mock", kind, "quiet", "mock")
    with listening() as (port, said):
        with attack(beside, f"http://127.0.0.1:{port}", count=100):
            until = time.monotonic() + 10
            while not (len(said) == 100 and all(said)) and time.monotonic() < until:
                time.sleep(0.01)
            first = [len(sent) for sent in said]
            time.sleep(slow_client.EVERY_S / 5)
            more = [len(now) - then for now, then in zip(said, first, strict=True)]
        assert len(said) == 100
        assert all((b"\r\n\r\n" in sent) == (kind == "bodies") for sent in said)
        assert 5 <= sum(size > 0 for size in more) <= 60  # a fifth of them has had its turn
        assert max(more) < 20


def test_goals_hold_every_attack_against_its_control() -> None:
    found = {beside: Found([[1.0] * 200], [0.1], [0.0]) for beside in situations()}
    assert all(goal.met for goal in section(found).goals)
    assert len(section(found).goals) == 6
    for beside, into in found.items():
        if beside.attacker == "slowhttptest":
            into.times_ms = [[3.0] * 200]  # the bystander's rows as well: what the attacker's own work costs
    assert all(goal.met for goal in section(found).goals)
    found[Beside("fastgate", "heads", "quiet", "fastgate")].times_ms = [[1.3] * 200]
    found[Beside("fastgate", "bodies", "slowhttptest", "fastgate")].times_ms = [[3.7] * 200]
    assert [goal.met for goal in section(found).goals] == [False, True, True, True, False, True]
