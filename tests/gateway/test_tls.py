"""TLS on the data plane: versions, streams, departed clients, and a certificate that changes under open calls."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import pytest

from tests.support.plane import KEY, Plane, body, endpoint
from tests.support.sim import SimProcess
from tests.support.tls import Certificate, certificate

RENEWED_WITHIN_S = 20.0
"""The files are looked at every 2 s, and a new worker starts within one; a busy machine gets twenty."""


@pytest.fixture
def plane(simulator: SimProcess, tmp_path: Path) -> Iterator[Plane]:
    made = Plane(tmp_path, (endpoint(simulator.url),), tls=certificate(tmp_path)).start()
    yield made
    made.stop()


def served(plane: Plane, minimum: ssl.TLSVersion, maximum: ssl.TLSVersion) -> tuple[str | None, bytes]:
    """The version that was agreed on, and the certificate that was shown."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version, context.maximum_version = minimum, maximum
    with (
        socket.create_connection(("127.0.0.1", plane.port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as client,
    ):
        return client.version(), client.getpeercert(binary_form=True) or b""


def test_calls_and_streams_over_tls(plane: Plane) -> None:
    assert plane.message().status == 200
    answer = plane.message(stream=True)
    assert b"event: message_stop" in answer.body and b": fastgate {" in answer.body
    assert [record.outcome for record in plane.settled(2)] == ["ok", "ok"]


def test_versions(plane: Plane) -> None:
    v12, v13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
    assert served(plane, v12, v12)[0] == "TLSv1.2"
    assert served(plane, v13, v13)[0] == "TLSv1.3"
    with pytest.warns(DeprecationWarning, match="TLSv1_1"), pytest.raises((ssl.SSLError, OSError)):
        served(plane, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_1)
    with socket.create_connection(("127.0.0.1", plane.port), timeout=5) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nhost: t\r\n\r\n")
        assert not client.recv(4096).startswith(b"HTTP/1.1 2")


def test_a_client_that_leaves_is_noticed(plane: Plane, simulator: SimProcess) -> None:
    data = json.dumps(body("[[sim:stall stall_at=5 stall_s=20 tokens=60]]", stream=True)).encode()
    connection = plane.connection()
    connection.request("POST", "/v1/messages", data, {"x-api-key": KEY})
    connection.getresponse().read(200)
    connection.close()
    (record,) = plane.settled(1)
    assert (record.outcome, record.error) == ("client_gone", "client_gone")
    assert record.cost_nano > 0


def one_call(plane: Plane) -> int:
    """The status of one call on a new connection; 0 when the connection was not taken. A call that was sent is never
    tried again here."""
    connection = plane.connection()
    try:
        connection.connect()
    except OSError:
        return 0
    try:
        connection.request("POST", "/v1/messages", json.dumps(body()), {"x-api-key": KEY})
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.faults
@pytest.mark.promise("P-15", bound="a changed certificate: no call is dropped, open streams finish")
def test_a_changed_certificate_drops_no_call(plane: Plane, tmp_path: Path) -> None:
    """A connection in its handshake at the moment when the old worker stops may be refused, a call may not."""
    v13 = ssl.TLSVersion.TLSv1_3
    assert plane.tls is not None
    before = served(plane, v13, v13)[1]
    (tmp_path / "new").mkdir()
    fresh = certificate(tmp_path / "new")
    trusts = ssl.create_default_context(cafile=str(plane.tls.cert))
    trusts.load_verify_locations(str(fresh.cert))
    plane.tls_context = lambda: trusts  # type: ignore[method-assign]
    answers: list[bytes] = []
    prompt = "[[sim:stall stall_at=4 stall_s=6 tokens=40]]"
    slow = threading.Thread(target=lambda: answers.append(plane.message(prompt, stream=True).body))
    slow.start()
    time.sleep(0.5)
    renew(plane.tls, Certificate(fresh.cert, plane.tls.key))  # half of it: not a pair
    assert plane.message().status == 200
    time.sleep(2.5)
    assert served(plane, v13, v13)[1] == before
    renew(plane.tls, fresh)
    statuses, deadline = [], time.monotonic() + RENEWED_WITHIN_S
    while shown(plane) in (before, b""):
        assert time.monotonic() < deadline, plane.log_text()
        statuses.append(one_call(plane))
    statuses += [one_call(plane) for _ in range(20)]
    slow.join()
    assert set(statuses) <= {200, 0} and statuses.count(0) <= 3 and statuses[-20:] == [200] * 20
    statuses = [status for status in statuses if status]
    assert b"event: message_stop" in answers[0] and b": fastgate {" in answers[0]
    records = plane.settled(len(statuses) + 2)
    assert {record.outcome for record in records} == {"ok"}


@pytest.mark.faults
@pytest.mark.slow  # half a minute, for the most part waiting
@pytest.mark.promise("P-15", bound="bodies that are still coming as a certificate changes: their calls are served")
def test_an_upload_outlives_the_change_of_a_certificate(plane: Plane, tmp_path: Path) -> None:
    """Its worker retires meanwhile: it takes no connections any more, and waits for those it has."""
    v13 = ssl.TLSVersion.TLSv1_3
    assert plane.tls is not None
    before = served(plane, v13, v13)[1]
    (tmp_path / "new").mkdir()
    fresh = certificate(tmp_path / "new")
    uploads = [begin_upload(plane, chunked) for chunked in (False, True)]
    renew(plane.tls, fresh)
    deadline = time.monotonic() + RENEWED_WITHIN_S
    while shown(plane) in (before, b"") or "Stopping worker-1" not in plane.log_text():
        assert time.monotonic() < deadline, plane.log_text()
        time.sleep(0.1)
    for some in zip_longest(*(pieces for _, pieces in uploads)):
        time.sleep(UPLOAD_GAP_S)
        for (client, _), piece in zip(uploads, some, strict=True):
            client.sendall(piece or b"")
    for client, _ in uploads:
        answer = http.client.HTTPResponse(client)
        answer.begin()
        assert (answer.status, answer.read()[:1]) == (200, b"{")
        client.close()
    assert [record.outcome for record in plane.settled(2)] == ["ok", "ok"]


UPLOAD_GAP_S = 0.5
"""Between two pieces of ten; the old worker was told to stop before the second is sent."""


def begin_upload(plane: Plane, chunked: bool) -> tuple[ssl.SSLSocket, list[bytes]]:
    """A request whose head is sent and a tenth of its body, and the pieces that are left."""
    data = json.dumps(body("." * 20_000)).encode()
    size = len(data) // 10 + 1
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    framing = f"content-length: {len(data)}"
    if chunked:
        pieces = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces] + [b"0\r\n\r\n"]
        framing = "transfer-encoding: chunked"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    client = context.wrap_socket(socket.create_connection(("127.0.0.1", plane.port), timeout=30))
    head = f"POST /v1/messages HTTP/1.1\r\nhost: gateway\r\nx-api-key: {KEY}\r\n{framing}\r\n\r\n"
    client.sendall(head.encode() + pieces[0])
    return client, pieces[1:]


def shown(plane: Plane) -> bytes:
    """The certificate that a new connection is shown; nothing when it is not taken."""
    try:
        return served(plane, ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3)[1]
    except OSError:
        return b""


def renew(old: Certificate, new: Certificate) -> None:
    """Put new files in the place of the old ones, as certificate tools do."""
    for source, target in ((new.cert, old.cert), (new.key, old.key)):
        if source != target:
            shutil.copy(source, target.with_suffix(".new"))
            target.with_suffix(".new").replace(target)
