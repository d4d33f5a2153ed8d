"""HTTP as the tour speaks it to the data plane: whole answers, and streams read event by event. Plain http.client."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fastgate.cli.demo_world import MODEL
from fastgate.clock import mono_ns

TIMEOUT_S = 20.0
"""Longer than any scripted answer of the tour takes."""

MAX_TOKENS = 64


@dataclass(frozen=True)
class Answer:
    """One answer as it came. Header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes
    took_ms: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Stream:
    """A streamed answer being read. `lines` gives it line by line; closing early is how a client leaves."""

    status: int
    headers: dict[str, str]
    connection: http.client.HTTPConnection
    response: http.client.HTTPResponse
    read: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        while raw := self.response.readline():
            line = raw.decode().rstrip("\r\n")
            self.read.append(line)
            yield line

    def close(self) -> None:
        self.response.close()
        self.connection.close()


def message(prompt: str, model: str = MODEL, stream: bool = False) -> dict[str, Any]:
    """The body of one Messages call."""
    body: dict[str, Any] = {
        "model": model,
        "max_tokens": MAX_TOKENS,
        "messages": [{"role": "user", "content": prompt}],
    }
    return body | {"stream": True} if stream else body


class Wire:
    """The data plane at `address`, called with one key a call."""

    def __init__(self, address: str) -> None:
        self.address = address

    def get(self, path: str, secret: str = "") -> Answer:
        return self._whole("GET", path, None, secret)

    def ask(self, secret: str, prompt: str, model: str = MODEL, session: str = "") -> Answer:
        """One call that is not streamed."""
        return self._whole("POST", "/v1/messages", message(prompt, model), secret, session)

    def stream(self, secret: str, prompt: str, model: str = MODEL) -> Stream:
        """One streamed call, its head read."""
        connection, response = self._send("POST", "/v1/messages", message(prompt, model, stream=True), secret)
        return Stream(response.status, lower(response), connection, response)

    def _whole(self, method: str, path: str, body: Any, secret: str, session: str = "") -> Answer:
        begun_ns = mono_ns()
        connection, response = self._send(method, path, body, secret, session)
        try:
            raw = response.read()
        finally:
            connection.close()
        return Answer(response.status, lower(response), raw, (mono_ns() - begun_ns) / 1e6)

    def _send(
        self, method: str, path: str, body: Any, secret: str, session: str = ""
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        host, _, port = self.address.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=TIMEOUT_S)
        headers = {"anthropic-version": "2023-06-01"}
        if secret:
            headers["x-api-key"] = secret
        if session:
            headers["x-claude-code-session-id"] = session
        payload = None
        if body is not None:
            payload = json.dumps(body).encode()
            headers["content-type"] = "application/json"
        connection.request(method, path, payload, headers)
        return connection, connection.getresponse()


def lower(response: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}
