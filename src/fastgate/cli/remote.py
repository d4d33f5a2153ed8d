"""The control plane over HTTP, as the command line speaks to it. Plain http.client: one request a connection.

Turns the API's answers into results or failures with the right exit code; knows no resource by name.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from fastgate.cli.actor import user
from fastgate.cli.failures import BadInput, Failure, Refused, Unreachable

TIMEOUT_S = 30.0
"""How long one answer of the control plane may take: reports over the full retention take seconds, not minutes."""

REPLAY_S = 600.0
"""How long a dry run may take: fifty million calls at a hundred thousand a second."""

ANSWER_BYTES = 64 * 1024 * 1024
"""The largest answer read: a page of 1,000 calls is below 4 MiB."""

PIECE_BYTES = 64 * 1024

BAD_INPUT = frozenset({400, 413, 422})
"""Statuses that mean that the request was wrong, rather than refused."""


class Remote:
    """A control plane at `address` (host:port), spoken to with an admin token."""

    def __init__(self, address: str, token: str, timeout_s: float = TIMEOUT_S) -> None:
        self.address = address
        self.token = token
        self.timeout_s = timeout_s

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """Answer of one GET, decoded. Entries of `query` that are None or empty are left out."""
        return self.call("GET", path, query=query)

    def post(self, path: str, body: Any = None, query: Mapping[str, Any] | None = None) -> Any:
        """Answer of one POST with a JSON body, decoded."""
        return self.call("POST", path, body=body, query=query)

    def call(self, method: str, path: str, *, query: Mapping[str, Any] | None = None, body: Any = None) -> Any:
        """One request; a body of bytes is YAML, any other is sent as JSON. Raises Unreachable, BadInput or Refused."""
        status, answer = self._exchange(method, with_query(path, query), body)
        if 200 <= status < 300:
            return answer
        raise failure_of(status, answer, self.address)

    def stream(self, path: str, query: Mapping[str, Any] | None = None) -> Iterator[bytes]:
        """The body of one GET that is no JSON, piece by piece. Raises as `call` does."""
        connection, response = self._send("GET", with_query(path, query), None)
        try:
            if not 200 <= response.status < 300:
                raise failure_of(response.status, decoded(response.read(ANSWER_BYTES)), self.address)
            while piece := response.read(PIECE_BYTES):
                yield piece
        except (OSError, http.client.HTTPException) as error:
            raise self._gone(error) from error
        finally:
            connection.close()

    def _exchange(self, method: str, target: str, body: Any) -> tuple[int, Any]:
        connection, response = self._send(method, target, body)
        try:
            raw = response.read(ANSWER_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise self._gone(error) from error
        finally:
            connection.close()
        return response.status, decoded(raw)

    def _send(self, method: str, target: str, body: Any) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """The request is out and the head of the answer is in; the caller closes the connection."""
        url = urlsplit(f"//{self.address}")
        connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=self.timeout_s)
        headers = {"authorization": f"Bearer {self.token}", "accept": "application/json", "x-fastgate-actor": user()}
        payload = None
        if body is not None:
            payload = body if isinstance(body, bytes) else json.dumps(body).encode()
            headers["content-type"] = "application/yaml" if isinstance(body, bytes) else "application/json"
        try:
            connection.request(method, target, payload, headers)
            return connection, connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise self._gone(error) from error

    def _gone(self, error: Exception) -> Unreachable:
        return Unreachable(
            f"the control plane at {self.address} does not answer: {str(error) or type(error).__name__}.",
            fix="`fastgate doctor` says what is wrong",
        )


def with_query(path: str, query: Mapping[str, Any] | None) -> str:
    """`path` with a query string; lists repeat their name."""
    pairs = {name: value for name, value in (query or {}).items() if value not in (None, "", [], ())}
    return f"{path}?{urlencode(pairs, doseq=True)}" if pairs else path


def segment(value: str) -> str:
    """`value` as one path segment: ids may hold any visible character."""
    return quote(value, safe="")


def decoded(raw: bytes) -> Any:
    """The JSON in `raw`; None where there is none."""
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return None


def failure_of(status: int, answer: Any, address: str) -> Failure:
    """The failure that an answer means. Understands `{"error": {"message"}}` and `{"detail"}`."""
    message = f"the control plane answered {status}."
    fix = ""
    if isinstance(answer, Mapping):
        error = answer.get("error")
        inner = error if isinstance(error, Mapping) else answer
        message = str(inner.get("message") or inner.get("detail") or message)
        fix = str(inner.get("fix") or "")
    if status == 401:
        return Refused(f"the control plane at {address} does not accept the admin token.", fix="restart the gateway")
    if status in (502, 503, 504):
        return Unreachable(message, fix)
    return BadInput(message, fix) if status in BAD_INPUT else Refused(message, fix)
