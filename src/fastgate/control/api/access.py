"""Who may use the API, and that a misspelt query parameter is told instead of ignored."""

from __future__ import annotations

import hashlib
import hmac
import re

from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException, ValidationException
from litestar.handlers import BaseRouteHandler

from fastgate.control.calls import Query

ACTOR_HEADER = "x-fastgate-actor"
"""Who acts, as the caller says: for the change log only. The token alone decides what is allowed."""

_ACTOR = re.compile(r"[\x21-\x7e]{1,64}")

WRONG = "The admin API needs `authorization: Bearer <admin token>`; run.json in the state directory holds the token."


class TokenCheck:
    """A guard. Compares digests in constant time, so neither length nor prefix of the token shows."""

    def __init__(self, token: str) -> None:
        if not token:
            raise ValueError("an empty admin token would let everyone in")
        self._digest = hashlib.sha256(token.encode()).digest()

    def __call__(self, connection: ASGIConnection, _handler: BaseRouteHandler) -> None:  # type: ignore[type-arg]
        scheme, _, sent = connection.headers.get("authorization", "").partition(" ")
        given = hashlib.sha256(sent.strip().encode("utf-8", "replace")).digest()
        if not hmac.compare_digest(given, self._digest) or scheme.lower() != "bearer":
            raise NotAuthorizedException(WRONG, headers={"www-authenticate": "Bearer"})


def require_known_query(connection: ASGIConnection, handler: BaseRouteHandler) -> None:  # type: ignore[type-arg]
    """A guard: `?usr=alice` must not list everyone's calls."""
    known = set(handler.parsed_fn_signature.parameters)
    if "asked" in known:
        known.update(Query.__struct_fields__)
    for name in connection.query_params:
        if name not in known:
            raise ValidationException(f"unknown query parameter {name[:64]!r}")


def actor_of(connection: ASGIConnection) -> str:  # type: ignore[type-arg]
    """The actor as the change log names it."""
    said = connection.headers.get(ACTOR_HEADER, "")
    return f"admin:{said}" if _ACTOR.fullmatch(said) else "admin"
