"""Amazon Bedrock's wire: InvokeModel and InvokeModelWithResponseStream.

The model is in the path and the stream in the route, so both leave the body; the version and the betas go into it.
Requests are signed (SigV4) or carry a bearer token. Answers need nothing here: the pump turns event-stream frames into
events, and envelopes.py reads AWS's errors. Source: AWS, Bedrock API reference and "Anthropic Claude Messages".
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from fastgate._core.splice import splice
from fastgate.envelopes import to_anthropic
from fastgate.errors import provider_credential, unsupported
from fastgate.providers.credentials import Rotating, Value, aws_from_environ, aws_from_file, from_command
from fastgate.providers.sigv4 import AwsKeys, amz_date, authorization
from fastgate.providers.wire import Wire, version_in
from fastgate.refs import resolve_refs

if TYPE_CHECKING:
    from fastgate.call import Call

VERSION = "bedrock-2023-05-31"
"""Bedrock's name for Anthropic's 2023-06-01, its only version for years; later ones keep their own name."""

IN_BODY = (b"model", b"stream", b"anthropic_version", b"anthropic_beta")
SHARED_FILE = "~/.aws/credentials"

_encode = msgspec.json.Encoder().encode


class BedrockWire(Wire):
    """One region of Bedrock."""

    _static: Value | None = None

    def prepare(self, environ: Mapping[str, str]) -> None:
        endpoint = self.endpoint
        if endpoint.api_key:
            self._static = resolve_refs(endpoint.api_key, environ)
        elif endpoint.command:
            command = endpoint.command
            self.credential = Rotating(f"endpoint {endpoint.name}", lambda: from_command(command))
        elif endpoint.credentials_file or endpoint.profile or aws_from_environ(environ) is None:
            file = endpoint.credentials_file or environ.get("AWS_SHARED_CREDENTIALS_FILE", SHARED_FILE)
            profile = endpoint.profile or environ.get("AWS_PROFILE", "default")
            self.credential = Rotating(f"endpoint {endpoint.name}", lambda: aws_from_file(file, profile))
        else:
            self._static = aws_from_environ(environ)

    def request(self, call: Call) -> tuple[bytes, bytes]:
        request = call.request
        assert request is not None
        model = self.model_id(call.model_used)
        if not model:
            raise unsupported(self.endpoint.name, f"model {call.model_used}")
        fit = self.fit(call)
        put = f'"anthropic_version":"{self.version(call.lines)}"'
        if fit.betas:
            put += f',"anthropic_beta":{_encode(fit.betas).decode()}'
        body = splice(call.body, (*IN_BODY, *fit.drop), put.encode(), fit.tool_drop)
        action, accept = "invoke", "application/json"
        if call.route == "count_tokens":
            action = "count-tokens"
            body = _encode({"input": {"invokeModel": {"body": base64.b64encode(body).decode()}}})
        elif request.stream:
            action, accept = "invoke-with-response-stream", "application/vnd.amazon.eventstream"
        return self.head(f"{self.base}/model/{quote(model, safe='')}/{action}", accept, body), body

    def version(self, lines: bytes) -> str:
        stated = version_in(lines)
        return VERSION if stated in ("", "2023-06-01") else stated

    def head(self, path: str, accept: str, body: bytes) -> bytes:
        value = self._static if self.credential is None else self.credential.value
        lines = [("content-type", "application/json"), ("host", self.host)]
        if isinstance(value, AwsKeys):
            at = amz_date()
            lines.append(("x-amz-date", at))
            if value.token:
                lines.append(("x-amz-security-token", value.token))
            signed = authorization(value, self.endpoint.region, "bedrock", at, "POST", path, lines, body)
            lines.append(("authorization", signed))
        elif value:
            lines.append(("authorization", f"Bearer {value}"))
        else:
            raise provider_credential(self.endpoint.name)
        lines += [("accept", accept), ("accept-encoding", "identity"), ("content-length", str(len(body)))]
        return f"POST {path} HTTP/1.1\r\n".encode() + b"".join(f"{k}: {v}\r\n".encode() for k, v in lines) + b"\r\n"

    def recast(self, call: Call, status: int, body: bytes) -> bytes | None:
        """AWS's errors, and a count of tokens; a message is Anthropic's own."""
        if status >= 400:
            return to_anthropic(status, body, call.id)
        if call.route == "count_tokens":
            return body.replace(b'"inputTokens"', b'"input_tokens"', 1)
        return None
