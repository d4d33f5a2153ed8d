"""Edge: what a request must be before anything is decided about it. Owns framing, Host and the form of head and body.

Everything that leaves the gateway is framed anew; nothing of the client's framing is copied. Knows no keys, no prices.
The body is waited for in gateway/body.py. Compiled with types (edge.pxd).
"""

from __future__ import annotations

from hashlib import sha256

import msgspec

from fastgate._core.head import HeadTooLargeError, RequestHead, read_head
from fastgate._core.request import RequestError, read_request
from fastgate.call import Call
from fastgate.dialects.front import adopt
from fastgate.dialects.model_id import judge_model
from fastgate.errors import headers_too_large, invalid_request, misframed

QUERY_CHARS_MAX = 8 * 1024
"""Longest query, as for one header. Claude Code's is `beta=true`."""

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
    if not call.query.isascii():
        raise invalid_request("The query holds bytes that are no ASCII: they must be percent-encoded (RFC 3986).")
    if len(call.query) > QUERY_CHARS_MAX:
        raise headers_too_large(f"The query is longer than {QUERY_CHARS_MAX} characters.")


def judge_head(items: list[tuple[str, str]], authority: str | None, host_needed: bool = True) -> RequestHead:
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


def open_body(call: Call) -> None:
    """Read what the body says, in one validating pass: the model, the session, what routing and money need."""
    if call.front is not None:
        adopt(call, call.front)
    try:
        call.request = request = read_request(call.body)
    except RequestError as exc:
        raise invalid_request(str(exc)) from None
    judge_model(request.model)
    call.session = session_of(call)
    if request.system_start >= 0:
        system = memoryview(call.body)[request.system_start : request.system_end]
        call.system_sha256 = sha256(system).hexdigest()


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
