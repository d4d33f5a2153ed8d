"""Errors as data: what failed, on which side, whether to try again, and the answer the client gets.

Every refusal is built here, so that its status, type and headers are written once (docs/reference/errors.md shows them
all). Rooms raise; the edge renders.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, Self

import msgspec

Source = Literal["downstream", "upstream", "internal"]
Retry = Literal["never", "elsewhere", "later"]
"""never: the same call fails again. elsewhere: another endpoint may serve it. later: waiting may help."""

Headers = tuple[tuple[str, str], ...]

NO_RETRY: Headers = (("x-should-retry", "false"),)
"""Stops Claude Code and the SDKs at once; without it a 401 costs the developer three silent minutes."""


CLOSE: Headers = (("connection", "close"),)
"""What follows on the connection is not read."""


class Kind(StrEnum):
    """What went wrong, as the journal, metrics and alerts name it."""

    AUTHENTICATION = "authentication"
    MODEL_NOT_ALLOWED = "model_not_allowed"
    PAUSED = "paused"
    RATE_LIMITED = "rate_limited"
    BUDGET_EXHAUSTED = "budget_exhausted"
    BUDGET_CONTENDED = "budget_contended"
    GUARD = "guard"
    INVALID_REQUEST = "invalid_request"
    TOO_LARGE = "too_large"
    NOT_FOUND = "not_found"
    DRAINING = "draining"
    OVERLOADED = "overloaded"
    INTERNAL = "internal"
    NO_ENDPOINT = "no_endpoint"
    PROVIDER_CREDENTIAL = "provider_credential"
    UNSUPPORTED = "unsupported"
    CONNECT = "connect"
    CONNECT_TIMEOUT = "connect_timeout"
    FIRST_BYTE_TIMEOUT = "first_byte_timeout"
    IDLE_TIMEOUT = "idle_timeout"
    TOTAL_TIMEOUT = "total_timeout"
    RESET = "reset"
    TRUNCATED = "truncated"
    BAD_RESPONSE = "bad_response"
    UPSTREAM_STATUS = "upstream_status"
    STREAM_ERROR = "stream_error"
    BODY_TIMEOUT = "body_timeout"
    CLIENT_GONE = "client_gone"
    CLIENT_STALLED = "client_stalled"
    CANCELLED = "cancelled"


class GatewayError(Exception):
    """One failure. `status`, `type` and `headers` are what the client sees; `message` never holds a secret."""

    def __init__(
        self,
        kind: Kind,
        message: str,
        *,
        source: Source,
        retry: Retry,
        status: int,
        type: str,
        headers: Headers = (),
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.source = source
        self.retry = retry
        self.status = status
        self.type = type
        self.headers = headers

    def bare(self) -> Self:
        """For who keeps it beyond its `except`: without the traceback, whose frames hold it, the call and its
        connection until the collector runs."""
        return self.with_traceback(None)


class _ErrorBody(msgspec.Struct):
    type: str
    message: str


class _Envelope(msgspec.Struct, tag_field="type", tag="error"):
    error: _ErrorBody
    request_id: str


_encode = msgspec.json.Encoder().encode


def envelope(error: GatewayError, request_id: str) -> bytes:
    """The error in Anthropic's shape: `{"type":"error","error":{"type","message"},"request_id"}`."""
    return _encode(_Envelope(_ErrorBody(error.type, error.message), request_id))


def authentication() -> GatewayError:
    """No, unknown, revoked or expired key: one wording for all, so that nothing can be told apart from outside."""
    return GatewayError(
        Kind.AUTHENTICATION,
        "This gateway does not accept the key that was sent. Ask your platform team for a fastgate key.",
        source="downstream",
        retry="never",
        status=401,
        type="authentication_error",
        headers=NO_RETRY,
    )


def model_not_allowed(model: str, allowed: tuple[str, ...]) -> GatewayError:
    """400 policy_blocked: the one form that Claude Code shows verbatim after a single request."""
    return GatewayError(
        Kind.MODEL_NOT_ALLOWED,
        f"Model {model} is not allowed for this key. Allowed: {', '.join(allowed)}.",
        source="downstream",
        retry="never",
        status=400,
        type="policy_blocked",
    )


def rate_limited(message: str, retry_after_s: int) -> GatewayError:
    """429 rate_limit_error with a short retry-after: clients wait it out."""
    return GatewayError(
        Kind.RATE_LIMITED,
        message,
        source="downstream",
        retry="later",
        status=429,
        type="rate_limit_error",
        headers=(("retry-after", str(retry_after_s)),),
    )


def paused(message: str, retry_after_s: int) -> GatewayError:
    """429 billing_error with x-should-retry: Claude Code prints the message after one request and waits for nothing."""
    return GatewayError(
        Kind.PAUSED,
        message,
        source="downstream",
        retry="never",
        status=429,
        type="billing_error",
        headers=(*NO_RETRY, ("retry-after", str(retry_after_s))),
    )


def budget_exhausted(message: str, retry_after_s: int) -> GatewayError:
    """The same for a budget that has nothing left: final until its period ends or somebody raises it."""
    return GatewayError(
        Kind.BUDGET_EXHAUSTED,
        message,
        source="downstream",
        retry="never",
        status=429,
        type="billing_error",
        headers=(*NO_RETRY, ("retry-after", str(retry_after_s))),
    )


def budget_contended(message: str, retry_after_s: int) -> GatewayError:
    """Only calls in flight hold the rest of the budget: clients wait it out and succeed."""
    return GatewayError(
        Kind.BUDGET_CONTENDED,
        message,
        source="internal",
        retry="later",
        status=429,
        type="rate_limit_error",
        headers=(("x-should-retry", "true"), ("retry-after", str(retry_after_s))),
    )


def guard_refused(rule: str, what: str, kind: str, path: str) -> GatewayError:
    """A guardrail refused the request: names the rule and the place, never what was found."""
    return GatewayError(
        Kind.GUARD,
        f"Guard rule {rule} refused this request: there is {what} in it ({kind.replace('_', ' ')}, {path}). "
        "It was not sent to the provider. Take it out of the conversation (/rewind or /clear) and try again.",
        source="downstream",
        retry="never",
        status=400,
        type="policy_blocked",
    )


def guard_unjudged(rule: str, kind: str, path: str, why: str) -> GatewayError:
    """A guard that must judge every request gave no verdict: not the client's fault, and in the form that it shows."""
    return GatewayError(
        Kind.GUARD,
        f"Guard {rule} must judge this request and did not ({why}; {kind.replace('_', ' ')}, {path}). It was not sent "
        "to the provider. Try again in a moment; if it goes on, tell your platform team.",
        source="internal",
        retry="later",
        status=400,
        type="policy_blocked",
    )


def invalid_request(message: str) -> GatewayError:
    return GatewayError(
        Kind.INVALID_REQUEST, message, source="downstream", retry="never", status=400, type="invalid_request_error"
    )


def misframed(message: str) -> GatewayError:
    """A request whose end two readers could see in two places: refused, and nothing after it is read."""
    error = invalid_request(message)
    error.headers = CLOSE
    return error


def headers_too_large(message: str) -> GatewayError:
    return GatewayError(
        Kind.TOO_LARGE,
        message,
        source="downstream",
        retry="never",
        status=431,
        type="invalid_request_error",
        headers=CLOSE,
    )


def too_large(limit_bytes: int) -> GatewayError:
    return GatewayError(
        Kind.TOO_LARGE,
        f"The request body is larger than this gateway accepts ({limit_bytes} bytes).",
        source="downstream",
        retry="never",
        status=413,
        type="request_too_large",
        headers=CLOSE,
    )


def body_timeout() -> GatewayError:
    return GatewayError(
        Kind.BODY_TIMEOUT,
        "The request body did not arrive in time.",
        source="downstream",
        retry="later",
        status=408,
        type="timeout_error",
        headers=CLOSE,
    )


def client_gone() -> GatewayError:
    """The client left before its answer. Nobody reads this; 499 is how the record says it, as nginx does."""
    return GatewayError(
        Kind.CLIENT_GONE, "The client left.", source="downstream", retry="never", status=499, type="api_error"
    )


def not_found(path: str) -> GatewayError:
    return GatewayError(
        Kind.NOT_FOUND,
        f"No such route on this gateway: {path}",
        source="downstream",
        retry="never",
        status=404,
        type="not_found_error",
    )


def no_such_budget() -> GatewayError:
    """One wording for a budget that is not there and for one of others."""
    return GatewayError(
        Kind.NOT_FOUND,
        "No budget of that name binds this key; GET /v1/fastgate/me lists those that do.",
        source="downstream",
        retry="never",
        status=404,
        type="not_found_error",
    )


def draining() -> GatewayError:
    return GatewayError(
        Kind.DRAINING,
        "This gateway is shutting down; try again.",
        source="internal",
        retry="later",
        status=503,
        type="overloaded_error",
        headers=(("retry-after", "1"), ("connection", "close")),
    )


def overloaded(message: str, retry_after_s: int) -> GatewayError:
    return GatewayError(
        Kind.OVERLOADED,
        message,
        source="internal",
        retry="later",
        status=503,
        type="overloaded_error",
        headers=(("retry-after", str(retry_after_s)),),
    )


def shedding(retry_after_s: int) -> GatewayError:
    """More calls than this worker can carry: refused before anything is read."""
    error = overloaded("This gateway has more calls than it can carry right now; try again.", retry_after_s)
    error.headers += CLOSE
    return error


def internal() -> GatewayError:
    return GatewayError(
        Kind.INTERNAL,
        "The gateway failed to handle this call; its operator has the details under this request id.",
        source="internal",
        retry="later",
        status=500,
        type="api_error",
    )


def endpoint_down(kind: Kind, message: str) -> GatewayError:
    """All endpoints down or unhealthy: 529, which clients wait out."""
    return GatewayError(kind, message, source="upstream", retry="elsewhere", status=529, type="overloaded_error")


def provider_credential(endpoint: str) -> GatewayError:
    """The gateway's own provider key is refused: never the client's 401, which would send people to /login."""
    return GatewayError(
        Kind.PROVIDER_CREDENTIAL,
        f"The provider refused this gateway's own credential (endpoint {endpoint}). The operator has been told.",
        source="upstream",
        retry="elsewhere",
        status=502,
        type="api_error",
        headers=NO_RETRY,
    )


def unsupported(endpoint: str, what: str) -> GatewayError:
    """An endpoint cannot take this call as it is: another may. policy_blocked: the form that clients show at once."""
    return GatewayError(
        Kind.UNSUPPORTED,
        f"Endpoint {endpoint} cannot serve this call: {what}. No other endpoint of this gateway can.",
        source="downstream",
        retry="elsewhere",
        status=400,
        type="policy_blocked",
    )
