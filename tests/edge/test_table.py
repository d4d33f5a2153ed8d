"""The table of payloads, byte by byte against the running gateway, a canary request behind each.

For every row: which answers come, that the connection ends when its framing is in doubt, and that whatever reached the
upstream was framed anew by the gateway.
"""

from __future__ import annotations

import socket

import pytest

from tests.gateway.conftest import World
from tests.support.rows import BODY, CANARY, ROWS, Row

TIMEOUT_S = 10.0


def speak(port: int, data: bytes) -> bytes:
    """Everything that comes back until the connection ends."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as client:
        try:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR) if data.endswith(b"\n\n") else None
            while piece := client.recv(1 << 16):
                received += piece
        except ConnectionError:
            pass
    return received


def answers(received: bytes) -> tuple[int, ...]:
    """The statuses of the answers, without 1xx."""
    found = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        lower = head.lower()
        length = int(lower.split(b"content-length: ")[1].split(b"\r\n")[0]) if b"content-length: " in lower else 0
        if status >= 200:
            found.append(status)
        received = rest[length:]
    return tuple(found)


@pytest.mark.promise("P-18", bound="every payload of the table, a canary behind each")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_no_request_is_smuggled(world: World, row: Row) -> None:
    received = speak(world.plane.port, row.data + CANARY)
    assert answers(received) == row.answers, received
    carried = int(row.answers[:1] == (200,) and b"/healthz" not in row.data)
    calls = world.calls(carried)
    assert len(calls) == carried
    for call in calls:
        assert world.simulator.body(call) == BODY
        assert call.header("content-length") == str(len(BODY))
        assert call.header("transfer-encoding") == ""
        assert call.started.path.startswith("/v1/messages")


def test_refusals_say_why_in_the_shape_of_every_error(world: World) -> None:
    refused = {row.name: row for row in ROWS}
    for name, words in {
        "no host": b"exactly one Host",
        "target of another host": b"name different hosts",
        "coding 'identity, chunked'": b"transfer-encoding must be chunked",
        "trailers": b"chunked request body",
        "a header of 8193 bytes": b"header x-a is longer than 8192",
        "liveness without a host": b"exactly one Host",
    }.items():
        received = speak(world.plane.port, refused[name].data + CANARY)
        head, _, data = received.partition(b"\r\n\r\n")
        assert b"connection: close" in head.lower()
        assert data.startswith(b'{"type":"error","error":{"type":"invalid_request_error"'), name
        assert words in data, name


def test_a_body_that_was_not_finished_costs_nothing(world: World) -> None:
    """A chunked body whose client leaves after a whole JSON text is no request: it may not be what was meant."""
    data = b"POST /v1/messages HTTP/1.1\r\nhost: t\r\nx-api-key: %b\r\ntransfer-encoding: chunked\r\n\r\n"
    from tests.support.plane import KEY

    with socket.create_connection(("127.0.0.1", world.plane.port), timeout=TIMEOUT_S) as client:
        client.sendall(data % KEY.encode() + b"%x\r\n%b\r\n" % (len(BODY), BODY))
        client.shutdown(socket.SHUT_WR)
        assert answers(client.recv(1 << 16)) in ((400,), ())
    assert world.record().error == "invalid_request"
    assert world.calls(0) == []
