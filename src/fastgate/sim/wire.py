"""Heads, framing and error bodies of the simulated provider, and the headers it sends with every answer.

The quota headers describe the key that the provider saw: a gateway must not pass them on, so they are always there.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

import msgspec

Headers = list[tuple[str, str]]

ORGANIZATION = "5f0c0000-51a1-4000-8000-00000000face"

PROVIDER_HEADERS: Headers = [
    ("anthropic-organization-id", ORGANIZATION),
    ("anthropic-ratelimit-requests-limit", "4000"),
    ("anthropic-ratelimit-requests-remaining", "3999"),
    ("anthropic-ratelimit-requests-reset", "2026-11-23T00:00:00Z"),
    ("anthropic-ratelimit-input-tokens-limit", "2000000"),
    ("anthropic-ratelimit-input-tokens-remaining", "1999000"),
    ("anthropic-ratelimit-input-tokens-reset", "2026-11-23T00:00:00Z"),
    ("anthropic-ratelimit-output-tokens-limit", "400000"),
    ("anthropic-ratelimit-output-tokens-remaining", "399000"),
    ("anthropic-ratelimit-output-tokens-reset", "2026-11-23T00:00:00Z"),
    ("anthropic-ratelimit-unified-status", "allowed"),
    ("anthropic-ratelimit-unified-reset", "1795392000"),
    ("server", "fastgate-simulator"),
    ("via", "1.1 simulated"),
    ("cf-cache-status", "DYNAMIC"),
]

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}

EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n"


def reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Overloaded" if status == 529 else "Simulated"


def head(status: int, headers: Iterable[tuple[str, str]], http: str = "1.1") -> bytes:
    lines = [f"HTTP/{http} {status} {reason(status)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def error_body(status: int, error_type: str, message: str, request_id: str) -> bytes:
    kind = error_type or ERROR_TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    error = {"type": kind, "message": message or f"Simulated {kind}"}
    return msgspec.json.encode({"type": "error", "error": error, "request_id": request_id})
