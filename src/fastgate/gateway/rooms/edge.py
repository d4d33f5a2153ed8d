"""Edge: what a request must be before anything is decided about it. Owns framing, Host, sizes and the body's form.

Everything that leaves the gateway is framed anew; nothing of the client's framing is copied. Knows no keys, no prices.
"""

from __future__ import annotations

import asyncio
from hashlib import sha256

import msgspec
from granian._granian import RSGIProtocolClosed, RSGIProtocolError

from fastgate._core.head import read_head
from fastgate._core.request import RequestError, read_request
from fastgate.call import Call
from fastgate.errors import GatewayError, body_timeout, client_gone, invalid_request, too_large

UNIDENTIFIED_BODY_BYTES = 1024 * 1024
"""Most of a body that is read (and dropped) before a 401, so that an honest client sees the answer and not a reset."""

SESSION_CHARS_MAX = 128
"""A session id is a UUID; whatever is longer is cut before it is recorded."""


class _UserId(msgspec.Struct):
    session_id: str = ""


_decode_user_id = msgspec.json.Decoder(_UserId).decode


def open_call(call: Call, items: list[tuple[str, str]]) -> None:
    """Read the request head. 400 for a missing or repeated Host, an encoded body or a broken length."""
    try:
        head = read_head(items)
    except ValueError as exc:
        raise invalid_request(f"Bad request headers: {exc}.") from None
    call.head = head
    if head.hosts != 1:
        raise invalid_request("A request needs exactly one Host header.")
    if head.encoded:
        raise invalid_request("Request bodies must not be compressed: send no content-encoding.")
    if head.content_length == -2:
        raise invalid_request("The content-length header is not a number.")


async def read_body(call: Call) -> None:
    """The whole body, within `limits.body_bytes`; then one validating pass over it."""
    limit = call.snapshot.limits.body_bytes
    length = call.head.content_length
    if length > limit:
        raise too_large(limit)
    call.body = await receive(call, limit)
    try:
        call.request = read_request(call.body)
    except RequestError as exc:
        raise invalid_request(str(exc)) from None
    call.session = session_of(call)
    if call.request.system_start >= 0:
        system = memoryview(call.body)[call.request.system_start : call.request.system_end]
        call.system_sha256 = sha256(system).hexdigest()


async def receive(call: Call, limit: int) -> bytes:
    """The body as sent. The worker's watch cancels a reading that takes longer than `limits.body_s`."""
    try:
        if call.head.content_length >= 0:
            call.reading = reading = call.proto()
            body: bytes = await reading
            return body
        call.reading = task = asyncio.ensure_future(_read_chunked(call, limit))
        return await task
    except (RSGIProtocolClosed, RSGIProtocolError):
        raise client_gone() from None
    except asyncio.CancelledError:
        if not call.late:
            raise
        raise body_timeout() from None
    finally:
        call.reading = None


async def _read_chunked(call: Call, limit: int) -> bytes:
    body = bytearray()  # a list of pieces would cost forty times the body where a client sends a byte a chunk
    async for chunk in call.proto:
        body += chunk
        if len(body) > limit:
            raise too_large(limit)
    return bytes(body)


async def discard_body(call: Call, error: GatewayError) -> GatewayError:
    """Read a small body away before an early refusal; a large one is answered at once and the connection closed."""
    if 0 <= call.head.content_length <= UNIDENTIFIED_BODY_BYTES:
        try:
            await receive(call, UNIDENTIFIED_BODY_BYTES)
        except GatewayError as exc:
            return exc
        return error
    error.headers += (("connection", "close"),)
    return error


def session_of(call: Call) -> str:
    """The session header, else the session id in metadata.user_id (a JSON string now, `…_session_UUID` before)."""
    if call.head.session:
        return call.head.session[:SESSION_CHARS_MAX]
    user_id = call.request.metadata_user_id if call.request is not None else ""
    if not user_id:
        return ""
    if user_id.startswith("{"):
        try:
            return _decode_user_id(user_id).session_id[:SESSION_CHARS_MAX]
        except (msgspec.DecodeError, UnicodeEncodeError):
            return ""
    return user_id.rpartition("_session_")[2][:SESSION_CHARS_MAX] if "_session_" in user_id else ""
