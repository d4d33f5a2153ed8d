"""Errors between dialects: a provider's in Anthropic's shape, and Anthropic's in that of AWS and Google.

The message goes over word for word: clients recover by its wording ("prompt is too long"). Knows no sockets.
"""

from __future__ import annotations

import msgspec

TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    424: "api_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""Anthropic's type for a status (API reference, errors); AWS and Google state no more than the status does."""

AWS_CODES = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    402: "ServiceQuotaExceededException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    413: "ValidationException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    503: "ServiceUnavailableException",
    529: "ServiceUnavailableException",
}
GOOGLE_CODES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "RESOURCE_EXHAUSTED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
    529: "UNAVAILABLE",
}

MESSAGE_CHARS_MAX = 4000
"""Of a body that is no known error; the whole of it would be a page of HTML."""


class _Detail(msgspec.Struct):
    message: str = ""
    type: str = ""


class _Said(msgspec.Struct):
    """Any of the three envelopes: Anthropic's and Google's have `error`, AWS's a message at its top."""

    message: str = ""
    Message: str = ""  # AWS writes it so on some paths
    error: _Detail | None = None


_decode = msgspec.json.Decoder(_Said).decode
_decode_list = msgspec.json.Decoder(list[_Said]).decode
encode = msgspec.json.Encoder().encode


def is_anthropic(body: bytes) -> bool:
    """Whether an error has Anthropic's shape already, as Vertex AI passes a model's own errors on."""
    try:
        return bool((said := _decode(body)).error and said.error.type)
    except msgspec.MsgspecError:
        return False


def message_of(body: bytes) -> str:
    """What an error says, in whichever envelope it came."""
    try:
        said = _decode_list(body)[0] if body.lstrip().startswith(b"[") else _decode(body)
    except (msgspec.MsgspecError, IndexError):
        return body.decode("utf-8", "replace")[:MESSAGE_CHARS_MAX]
    inside = said.error.message if said.error is not None else ""
    return inside or said.message or said.Message or body.decode("utf-8", "replace")[:MESSAGE_CHARS_MAX]


def to_anthropic(status: int, body: bytes, request_id: str) -> bytes:
    """A provider's error as Anthropic would have said it."""
    kind = TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    error = {"type": kind, "message": message_of(body)}
    return encode({"type": "error", "error": error, "request_id": request_id})


def to_aws(status: int, body: bytes) -> tuple[str, bytes]:
    """An error as AWS says it: the code that goes into `x-amzn-errortype`, and the body."""
    code = AWS_CODES.get(status, "InternalServerException" if status >= 500 else "ValidationException")
    return code, encode({"message": message_of(body)})


def to_google(status: int, body: bytes) -> bytes:
    code = GOOGLE_CODES.get(status, "INTERNAL" if status >= 500 else "INVALID_ARGUMENT")
    return encode({"error": {"code": status, "message": message_of(body), "status": code}})
