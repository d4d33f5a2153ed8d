"""Edge: what a request must be before anything is decided about it. Owns framing, Host, sizes and the body's form.

Everything that leaves the gateway is framed anew; nothing of the client's framing is copied. Knows no keys, no prices.
"""

from __future__ import annotations

import asyncio
from hashlib import sha256

import msgspec
from granian._granian import RSGIProtocolClosed, RSGIProtocolError

from fastgate._core.head import HeadTooLargeError, RequestHead, read_head
from fastgate._core.request import RequestError, read_request
from fastgate.call import Call
from fastgate.dialects.front import adopt
from fastgate.errors import (
    CLOSE,
    GatewayError,
    body_timeout,
    client_gone,
    headers_too_large,
    invalid_request,
    misframed,
    too_large,
)

UNIDENTIFIED_BODY_BYTES = 1024 * 1024
"""Most of a body that is read (and dropped) before a 401, so that an honest client sees the answer and not a reset."""

QUERY_CHARS_MAX = 8 * 1024
"""Longest query, as for one header. Claude Code's is `beta=true`."""

MODEL_CHARS_MAX = 256
"""Longest model id. Bedrock's, the longest, are ARNs of some 150 characters."""

SESSION_CHARS_MAX = 128
"""A session id is a UUID; whatever is longer is cut before it is recorded."""


class _UserId(msgspec.Struct):
    session_id: str = ""


_decode_user_id = msgspec.json.Decoder(_UserId).decode


def open_call(call: Call, items: list[tuple[str, str]]) -> None:
    """Read the request head. 400 for what could be read two ways, 431 and 414 for what is larger than anyone needs."""
    call.head = head = judge_head(items, call.authority)
    if head.encoded:
        raise invalid_request("Request bodies must not be compressed: send no content-encoding.")
    if head.content_length == -2:
        raise invalid_request("The content-length header is not a number.")
    if ";" in head.content_type and not is_utf8(head.content_type):
        raise invalid_request("Request bodies must be UTF-8: send content-type application/json without a charset.")
    if len(call.query) > QUERY_CHARS_MAX:
        raise headers_too_large(f"The query is longer than {QUERY_CHARS_MAX} characters.")


def judge_head(items: list[tuple[str, str]], authority: str | None, *, host_needed: bool = True) -> RequestHead:
    """What every route asks of a request head. `authority` is that of an absolute-form target, None for a path."""
    try:
        head = read_head(items)
    except HeadTooLargeError as exc:
        raise headers_too_large(f"The request head is too large: {exc}.") from None
    except ValueError as exc:
        raise invalid_request(f"Bad request headers: {exc}.") from None
    if not head.host_fine and (host_needed or head.hosts):
        raise misframed("A request needs exactly one Host header, and it must name a host.")
    if authority is not None and authority.lower() != head.host.lower():
        raise misframed("The request's target and its Host header name different hosts.")
    if head.misframed:
        raise misframed("The transfer-encoding must be chunked, once, and without a content-length.")
    return head


def is_utf8(content_type: str) -> bool:
    """Whether a content-type names no charset but UTF-8: the provider must read the text that was judged here."""
    for parameter in content_type.lower().split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip(' \t"') not in ("utf-8", "utf8"):
            return False
    return True


async def read_body(call: Call) -> None:
    """The whole body, within `limits.body_bytes`; then one validating pass over it."""
    limit = call.snapshot.limits.body_bytes
    length = call.head.content_length
    if length > limit:
        raise too_large(limit)
    call.body = await receive(call, limit)
    if call.front is not None:
        adopt(call, call.front)
    try:
        call.request = read_request(call.body)
    except RequestError as exc:
        raise invalid_request(str(exc)) from None
    judge_model(call.request.model)
    call.session = session_of(call)
    if call.request.system_start >= 0:
        system = memoryview(call.body)[call.request.system_start : call.request.system_end]
        call.system_sha256 = sha256(system).hexdigest()


def judge_model(model: str) -> None:
    """Model ids travel in headers, records and tables; every provider's are short and printable."""
    if len(model) > MODEL_CHARS_MAX or not (model.isascii() and model.isprintable()):
        raise invalid_request(f"model must be printable ASCII of at most {MODEL_CHARS_MAX} characters.")


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
    """A chunked body. The server gives an empty piece for the end, and one more for broken framing, for a client that
    left in the middle and for trailers alike: only one empty piece is a body that was sent whole."""
    body = bytearray()  # a list of pieces would cost forty times the body where a client sends a byte a chunk
    empty = 0
    async for chunk in call.proto:
        if not chunk:
            empty += 1
        body += chunk
        call.received = len(body)
        if call.received > limit:
            raise too_large(limit)
    if empty != 1:
        raise misframed("The chunked request body is broken, was not finished, or has trailers.")
    return bytes(body)


async def discard_body(call: Call, error: GatewayError) -> GatewayError:
    """Read a small body away before an early refusal; a large one is answered at once and the connection closed."""
    if CLOSE[0] in error.headers:
        return error
    if 0 <= call.head.content_length <= UNIDENTIFIED_BODY_BYTES:
        try:
            await receive(call, UNIDENTIFIED_BODY_BYTES)
        except GatewayError as exc:
            return exc
        return error
    error.headers += CLOSE
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
