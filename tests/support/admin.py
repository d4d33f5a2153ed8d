"""The admin API of a gateway under test, and one Messages call beside it: plain http.client, no client of ours."""

from __future__ import annotations

import contextlib
import http.client
import json
import time
from collections.abc import Callable
from typing import Any

from tests.support.gateway import KEY, Gateway

TOKEN = "admin-token-of-the-tests-0123456789"

Answer = tuple[int, dict[str, str], bytes]


def ask(base: str, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
    """One request on its own connection: status, headers in lower case, body."""
    host, _, port = base.removeprefix("http://").rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    try:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # refused before all of the body was sent
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    finally:
        connection.close()


def admin(gateway: Gateway, method: str, path: str, body: Any = None, token: str = TOKEN) -> tuple[int, Any]:
    """One call of the admin API: status and decoded JSON."""
    data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    status, _, raw = ask(gateway.control_url, method, f"/api/v1{path}", data, authorization=f"Bearer {token}")
    return status, json.loads(raw) if raw else None


def message(gateway: Gateway, text: str = "hello", key: str = KEY, stream: bool = False, **headers: str) -> Answer:
    """One Messages call to its end."""
    body = {"model": "claude-sonnet-4-5", "max_tokens": 64, "messages": [{"role": "user", "content": text}]}
    data = json.dumps({**body, "stream": stream}).encode()
    return ask(gateway.url, "POST", "/v1/messages", data, x_api_key=key, content_type="application/json", **headers)


def until(condition: Callable[[], Any], within_s: float, what: str) -> Any:
    """The first true answer of `condition`."""
    end = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {within_s} s: {what}"
        time.sleep(0.02)
    return found


def status(gateway: Gateway) -> dict[str, Any]:
    code, body = admin(gateway, "GET", "/status")
    assert code == 200, body
    assert isinstance(body, dict)
    return body


def all_up(gateway: Gateway) -> None:
    """The first worker answers a moment before the others and the supervisor are ready."""
    until(lambda: "supervisor: serving" in gateway.log_text(), 20, "the supervisor is up")
