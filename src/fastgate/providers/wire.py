"""The wire of an endpoint: a call as the request that this endpoint wants.

`Wire` is Anthropic's own API and every server of the same API: the client's lines and body as they came, our framing
and credential. bedrock.py and vertex.py say what differs there. Knows nothing of connections, retries or prices.
Compiled with types (wire.pxd).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from fastgate._core.sending import request_head
from fastgate._core.splice import members, splice
from fastgate.errors import unsupported
from fastgate.prices.book import MAX_MODEL_CHARS
from fastgate.providers.capabilities import Fit, Fitter, capabilities_of
from fastgate.providers.credentials import Rotating, from_command
from fastgate.providers.models import endpoint_model
from fastgate.refs import resolve_refs

if TYPE_CHECKING:
    from fastgate.call import Call
    from fastgate.snapshot import Endpoint

PATHS = {"messages": "/v1/messages", "count_tokens": "/v1/messages/count_tokens"}

MODELS_KEPT = 1024
"""Model ids memoised by one endpoint; a client that invents models must not fill memory."""

_quoted = msgspec.json.Encoder().encode


class Wire:
    """How calls are written for one endpoint. Made once per pool."""

    endpoint: Endpoint
    host: str
    base: str
    fitter: Fitter
    credential: Rotating | None
    """A credential that is fetched and ends; None where the key is the configuration's."""
    _models: dict[str, str]
    _begin: dict[str, bytes]
    _trivial: bool
    _pinned: bool
    _version: bytes
    _fixed: bytes

    def __init__(self, endpoint: Endpoint, environ: Mapping[str, str] = os.environ) -> None:
        self.endpoint = endpoint
        url = urlsplit(endpoint.base_url)
        self.host = url.netloc.rpartition("@")[2]
        self.base = url.path.rstrip("/").removesuffix("/v1")
        self.fitter = Fitter(capabilities_of(endpoint.kind, endpoint.betas, endpoint.fields))
        self.credential = None
        self._models = {}
        self._trivial = self.fitter.trivial
        self._pinned = endpoint.pin_version
        self._begin = {route: f"POST {self.base}{path}".encode() for route, path in PATHS.items()}
        self._version = f"anthropic-version: {endpoint.anthropic_version}\r\n".encode()
        self.prepare(environ)

    def prepare(self, environ: Mapping[str, str]) -> None:
        """Make ready what does not change from call to call."""
        if self.endpoint.command:
            command = self.endpoint.command
            self.credential = Rotating(f"endpoint {self.endpoint.name}", lambda: from_command(command))
            return
        self._fixed = self.fixed_lines(resolve_refs(self.endpoint.api_key, environ))

    def fixed_lines(self, key: str) -> bytes:
        """The end of the request line, and what every request carries."""
        auth = f"authorization: Bearer {key}" if self.endpoint.auth == "bearer" else f"x-api-key: {key}"
        return f" HTTP/1.1\r\nhost: {self.host}\r\n{auth}\r\naccept-encoding: identity\r\n".encode()

    def model_id(self, model: str) -> str:
        """The id of a model here; empty where this endpoint cannot serve it."""
        named = self._models.get(model)
        if named is None:
            if len(self._models) >= MODELS_KEPT:
                self._models.clear()
            named = endpoint_model(self.endpoint, model)
            if len(model) <= MAX_MODEL_CHARS:
                self._models[model] = named
        return named

    def request(self, call: Call) -> tuple[bytes, bytes]:
        """The head and the body to send. GatewayError (unsupported) where this endpoint cannot take the call."""
        body, lines, has_version = call.body, call.lines, call.has_version
        if not self._trivial:
            fit = self.fit(call)
            lines = with_betas(lines, fit.betas)
            if fit.drop or fit.tool_drop:
                body = splice(body, fit.drop, b"", fit.tool_drop)
        request = call.request
        assert request is not None
        asked = call.model or request.model
        named = self._models.get(asked) or self.model_id(asked)
        if named != request.model:
            body = self.renamed(call, body, named)
        if self.credential is not None:
            self._fixed = self.fixed_lines(str(self.credential.value))
        if self._pinned and has_version:
            lines = without_line(lines, b"anthropic-version:")
            has_version = False
        version = b"" if has_version else self._version
        return request_head(self._begin[call.route], call.query, self._fixed, version, lines, len(body)), body

    def recast(self, call: Call, status: int, body: bytes) -> bytes | None:
        """A whole answer in Anthropic's form, where this endpoint gives another; None where it is one already."""
        return None

    def renamed(self, call: Call, body: bytes, named: str) -> bytes:
        """The body with another model: only the bytes of that value change."""
        if not named:
            raise unsupported(self.endpoint.name, f"model {call.model_used}")
        request = call.request
        assert request is not None
        if body is not call.body:
            return splice(body, (b"model",), b'"model":' + _quoted(named))
        return b"%b%b%b" % (body[: request.model_start], _quoted(named), body[request.model_end :])

    def fit(self, call: Call) -> Fit:
        """What this endpoint's capabilities make of the call; what is left out is noted on it."""
        fitter, request = self.fitter, call.request
        assert request is not None
        body = call.body
        present = set(members(body, fitter.names)) if fitter.names else set()
        in_tools = {name for name in fitter.tool_names if request.tool_count and b'"%b"' % name in body}
        fit = fitter.fit(betas_in(call.lines), present, in_tools)
        if fit.refused:
            raise unsupported(self.endpoint.name, fit.refused)
        call.left_out = fit.left_out
        return fit


# ---- Header lines: `name: value` in lower case, each ended by CRLF -------------------------------------------------


def betas_in(lines: bytes) -> tuple[str, ...]:
    """The betas of every anthropic-beta line, in order."""
    if b"anthropic-beta:" not in lines:
        return ()
    found = []
    for line in lines.split(b"\r\n"):
        if line.startswith(b"anthropic-beta:"):
            found += [beta.strip() for beta in line[15:].decode("latin-1").split(",")]
    return tuple(beta for beta in found if beta)


def version_in(lines: bytes) -> str:
    for line in lines.split(b"\r\n"):
        if line.startswith(b"anthropic-version:"):
            return line[18:].decode("latin-1").strip()
    return ""


def without_line(lines: bytes, *starts: bytes) -> bytes:
    kept = lines.split(b"\r\n")
    return b"\r\n".join(line for line in kept if not line.startswith(starts))


def with_betas(lines: bytes, betas: tuple[str, ...]) -> bytes:
    """The lines with exactly these betas."""
    if b"anthropic-beta:" in lines:
        lines = without_line(lines, b"anthropic-beta:")
    return lines + f"anthropic-beta: {','.join(betas)}\r\n".encode("latin-1") if betas else lines
