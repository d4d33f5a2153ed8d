"""Errors as HTTP: one JSON shape, a request id that the log repeats, and nothing of the inside."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException

from fastgate.control.errors import ErrorKind, OperationError
from fastgate.control.shapes import ErrorBody, ErrorDetail, Problem

log = logging.getLogger("fastgate.control")

STATUS: Mapping[ErrorKind, int] = {"invalid": 400, "not_found": 404, "conflict": 409, "unusable": 500}

TYPES: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    405: "invalid_request_error",
    409: "conflict_error",
    413: "request_too_large",
    422: "invalid_request_error",
}

FILE_STATUS = 422
"""The request was understood; a file it is about is wrong."""

AnyRequest = Request[Any, Any, Any]


def _answer(status: int, message: str, problems: list[Problem], headers: Mapping[str, str]) -> Response[ErrorBody]:
    request_id = f"fgc-{secrets.token_hex(10)}"
    kind = TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    body = ErrorBody(ErrorDetail(kind, message, problems), request_id)
    return Response(
        body, status_code=status, media_type="application/json", headers={**headers, "request-id": request_id}
    )


def refused(_: AnyRequest, error: OperationError) -> Response[ErrorBody]:
    """An operation said no."""
    status = FILE_STATUS if error.problems else STATUS[error.kind]
    return _answer(status, error.message, error.problems, {})


def bad_request(request: AnyRequest, error: HTTPException) -> Response[ErrorBody]:
    """The framework said no: no such route, no token, a body or parameter of the wrong form."""
    extra = error.extra if isinstance(error.extra, list) else []
    problems = [
        Problem("request", 0, str(item.get("key", "")), str(item.get("message", "")))
        for item in extra
        if isinstance(item, dict)
    ]
    message = error.detail
    if problems:
        message = "; ".join(f"{problem.path}: {problem.message}" for problem in problems)
    elif error.status_code == 404:
        message = f"there is no {request.method} {request.url.path[:200]}"
    headers = {name: value for name, value in (error.headers or {}).items() if name.lower() != "content-length"}
    return _answer(error.status_code, message, problems, headers)


def not_text(_: AnyRequest, error: UnicodeDecodeError) -> Response[ErrorBody]:
    """The framework reads JSON strings before it knows that they are none."""
    return _answer(400, f"the request is not valid UTF-8 ({error.reason})", [], {})


def failed(request: AnyRequest, error: Exception) -> Response[ErrorBody]:
    """A defect of ours: the details go to the log, under the id that the caller gets."""
    answer = _answer(500, "the control plane failed; its log has the details under this request id", [], {})
    log.error(
        "%s %s failed, request id %s", request.method, request.url.path, answer.content.request_id, exc_info=error
    )
    return answer


HANDLERS: dict[Any, Any] = {
    OperationError: refused,
    HTTPException: bad_request,
    UnicodeDecodeError: not_text,
    Exception: failed,
}
