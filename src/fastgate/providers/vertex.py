"""Google Vertex AI's wire: rawPredict, streamRawPredict and count-tokens of Anthropic's models.

The model is in the path and leaves the body, the version goes into it, betas stay in the header. Tokens are Google's
(google.py). Source: Google Cloud, "Use Claude models", and Anthropic's "Claude on Vertex AI".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from fastgate._core.splice import splice
from fastgate.envelopes import is_anthropic, to_anthropic
from fastgate.errors import provider_credential, unsupported
from fastgate.providers.credentials import Rotating, from_command
from fastgate.providers.google import fetch_token
from fastgate.providers.wire import Wire, version_in, with_betas, without_line
from fastgate.refs import resolve_refs

_encode = msgspec.json.Encoder().encode

if TYPE_CHECKING:
    from fastgate.call import Call

VERSION = "vertex-2023-10-16"
"""Vertex AI's name for Anthropic's 2023-06-01; later versions keep their own name."""


class VertexWire(Wire):
    """One location of one project."""

    def prepare(self, environ: Mapping[str, str]) -> None:
        endpoint = self.endpoint
        self.models = (
            f"{self.base}/v1/projects/{endpoint.project}/locations/{endpoint.region}/publishers/anthropic/models"
        )
        self._static = resolve_refs(endpoint.api_key, environ)
        if self._static:
            return
        if endpoint.command:
            command = endpoint.command
            self.credential = Rotating(f"endpoint {endpoint.name}", lambda: from_command(command))
        else:
            file = endpoint.credentials_file
            self.credential = Rotating(f"endpoint {endpoint.name}", lambda: fetch_token(file, environ))

    def request(self, call: Call) -> tuple[bytes, bytes]:
        request = call.request
        assert request is not None
        model = self.model_id(call.model_used)
        if not model:
            raise unsupported(self.endpoint.name, f"model {call.model_used}")
        fit = self.fit(call)
        stated = version_in(call.lines)
        put = f'"anthropic_version":"{VERSION if stated in ("", "2023-06-01") else stated}"'
        if call.route == "count_tokens":
            put += f',"model":{_encode(model).decode()}'
            path = f"{self.models}/count-tokens:rawPredict"
        else:
            path = f"{self.models}/{quote(model, safe='@')}:{'streamRawPredict' if request.stream else 'rawPredict'}"
        drop = (b"model", b"anthropic_version", b"anthropic_beta", *fit.drop)
        body = splice(call.body, drop, put.encode(), fit.tool_drop)
        token = self._static if self.credential is None else self.credential.value
        if not token:
            raise provider_credential(self.endpoint.name)
        lines = with_betas(without_line(call.lines, b"anthropic-version:", b"accept:"), fit.betas)
        head = f"POST {path} HTTP/1.1\r\nhost: {self.host}\r\nauthorization: Bearer {token}\r\n"
        return b"%baccept-encoding: identity\r\n%bcontent-length: %d\r\n\r\n" % (head.encode(), lines, len(body)), body

    def recast(self, call: Call, status: int, body: bytes) -> bytes | None:
        """Google's own errors; the model's come in Anthropic's form."""
        return to_anthropic(status, body, call.id) if status >= 400 and not is_anthropic(body) else None
