"""Bodies through the running gateway: what is judged is what is sent, at every size up to the cap, in both framings."""

from __future__ import annotations

import http.client
import json

import pytest

from tests.gateway.conftest import World
from tests.support.plane import KEY, LIMITS, Answer

CAP = LIMITS.body_bytes
PIECE = 1 << 20


def padded(size: int) -> bytes:
    """A small request to which a field of no meaning gives its size."""
    head = b'{"model":"claude-haiku-5-5","max_tokens":16,"messages":[{"role":"user","content":"hi"}],"pad":"'
    return head + b"x" * (size - len(head) - 2) + b'"}'


def send(world: World, data: bytes, chunked: bool, piece: int = PIECE) -> Answer:
    """One request; a gateway that answers before it has read all may close while we still send."""
    connection = http.client.HTTPConnection("127.0.0.1", world.plane.port, timeout=30)
    connection.putrequest("POST", "/v1/messages")
    connection.putheader("x-api-key", KEY)
    connection.putheader(*(("transfer-encoding", "chunked") if chunked else ("content-length", str(len(data)))))
    connection.endheaders()
    try:
        parts = (data[at : at + piece] for at in range(0, len(data), piece))
        for part in parts:
            connection.send(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
        if chunked:
            connection.send(b"0\r\n\r\n")
    except (BrokenPipeError, ConnectionResetError):
        pass
    try:
        response = connection.getresponse()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    finally:
        connection.close()


@pytest.mark.promise("P-17")
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_body_at_the_cap_arrives_whole(world: World, chunked: bool) -> None:
    data = padded(CAP)
    assert send(world, data, chunked).status == 200
    (call,) = world.calls(1)
    assert world.simulator.body(call) == data
    assert call.header("content-length") == str(CAP)
    assert call.header("transfer-encoding") == ""


def test_a_body_in_chunks_of_one_byte_arrives_whole(world: World) -> None:
    data = padded(20_000)
    assert send(world, data, chunked=True, piece=1).status == 200
    (call,) = world.calls(1)
    assert world.simulator.body(call) == data


@pytest.mark.promise("P-17")
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_body_over_the_cap_is_refused(world: World, chunked: bool) -> None:
    answer = send(world, padded(CAP + 1), chunked)
    assert answer.status == 413
    assert answer.json()["error"]["type"] == "request_too_large"
    assert world.record().error == "too_large"
    assert world.calls(0) == []


REFUSED = {
    "duplicate": b'{"model":"claude-haiku-5-5","messages":[],"model":"claude-opus-5-5"}',
    "escaped duplicate": rb'{"model":"claude-haiku-5-5","mod\u0065l":"claude-opus-5-5","messages":[]}',
    "nested duplicate": b'{"model":"m","messages":[{"role":"user","content":"a","content":"b"}]}',
    "invalid utf-8 where nobody looks": b'{"model":"m","messages":[],"x":{"y":["\xff"]}}',
    "lone surrogate": rb'{"model":"m","messages":[{"role":"user","content":"\ud83d"}]}',
    "byte order mark": b'\xef\xbb\xbf{"model":"m","messages":[]}',
    "65 levels": b'{"model":"m","x":' + b"[" * 64 + b"]" * 64 + b"}",
    "infinite number": b'{"model":"m","messages":[],"x":1e999}',
    "max_tokens past 2^53": b'{"model":"m","messages":[],"max_tokens":9007199254740993}',
    "a million names": b'{"model":"m","x":[' + b",".join([b'{"a":0}'] * 1_000_000) + b"]}",
}


@pytest.mark.promise("P-17")
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED.keys())
def test_what_readers_disagree_on_never_reaches_the_upstream(world: World, data: bytes, chunked: bool) -> None:
    answer = send(world, data, chunked)
    assert answer.status == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.json()["request_id"] == answer.headers["request-id"] == world.record().id
    assert world.calls(0) == []


def test_the_upstream_gets_the_bytes_and_not_a_new_spelling(world: World) -> None:
    """Spaces, escapes and order survive: nothing is parsed and written anew."""
    data = (
        b'{ "max_tokens" : 16 ,\r\n\t"model":"claude\\u002dhaiku-5-5","messages":[{"content":"\\/\\u00e9\xc3\xa9",'
        b'"role":"user"}],"x":[1.0,1e2,-0,123456789012345678901234567890]}'
    )
    assert send(world, data, chunked=True).status == 200
    (call,) = world.calls(1)
    assert world.simulator.body(call) == data
    assert json.loads(data)["model"] == world.record().model_used == "claude-haiku-5-5"
