"""A service behind HTTP that speaks JSON: asked with a deadline, left alone for a while when it fails again and again.

What it does not answer in time is a miss; no call ever fails for it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec

from fastgate.guards.adapters.breaker import Breaker
from fastgate.guards.adapters.client import Client, ClientError
from fastgate.log import Log
from fastgate.refs import resolve_refs

if TYPE_CHECKING:
    from fastgate.snapshot_cache import VectorService

OK = range(200, 300)

log = Log("cache")

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Service:
    """`headers` authorise; `said` are the errors in a row."""

    def __init__(self, row: VectorService, url: str, headers: dict[str, str]) -> None:
        self.url = url.rstrip("/")
        self.timeout_s = row.timeout_s
        self.failures = 0
        """Since the worker began."""
        self._headers = [("content-type", "application/json"), ("accept", "application/json"), *headers.items()]
        self._client = Client()
        self._breaker = Breaker()

    async def ask(self, path: str, body: Any, method: str = "POST", accepted: tuple[int, ...] = ()) -> Any:
        """The answer as JSON; None for none in time, or a refusal."""
        if not self._breaker.allows():
            return None
        try:
            answer = await self._client.post(self.url + path, self._headers, _encode(body), self.timeout_s, method)
            if answer.status not in OK and answer.status not in accepted:
                raise ClientError(f"status {answer.status}")
            told = _decode(answer.body) if answer.body else {}
        except (ClientError, msgspec.DecodeError) as error:
            self.failures += 1
            self._breaker.failed()
            log.warning("a service of the semantic cache fails", url=self.url, why=error, failures=self.failures)
            return None
        except BaseException:
            self._breaker.gave_up()
            raise
        self._breaker.worked()
        return told

    def close(self) -> None:
        self._client.close()


def secret_of(row: VectorService) -> str:
    return resolve_refs(row.api_key, os.environ)
