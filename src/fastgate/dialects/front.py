"""Front dialects: a Bedrock or Vertex AI request made the Messages request that it stands for.

Owns the paths of these dialects and what in them is model, stream and version. After `adopt` a call is as if it had
come to /v1/messages, so every room applies; bedrock.py and vertex.py turn the answers back. Knows no endpoints.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

import msgspec

from fastgate._core.request import RequestError, read_request
from fastgate._core.splice import members, splice
from fastgate.call import Front
from fastgate.errors import invalid_request

if TYPE_CHECKING:
    from fastgate.call import Call, Route

BEDROCK_PATH = re.compile(r"/model/(.+)/(invoke|invoke-with-response-stream|count-tokens)")
VERTEX_PATH = re.compile(
    r"(?:/v1)?/projects/[^/]+/locations/[^/]+/publishers/anthropic/models/([^/:]+):(rawPredict|streamRawPredict)"
)
COUNT_TOKENS = "count-tokens"
"""The model of Vertex AI's path that counts tokens; the model is in the body then."""

VERSIONS = {"bedrock-2023-05-31": "2023-06-01", "vertex-2023-10-16": "2023-06-01"}
"""What the dialects call Anthropic's version; later versions have one name everywhere."""

PROFILE_SCOPE = re.compile(r"^(?:[a-z][a-z-]*\.)?anthropic\.")
BEDROCK_REVISION = re.compile(r"-v\d+(?::\d+(?::\d+k)?)?$")
VERSION_TEXT = re.compile(r"[A-Za-z0-9.-]{1,64}")
BETA_TEXT = re.compile(r"[A-Za-z0-9._-]{1,128}")

_quoted = msgspec.json.Encoder().encode


def match(path: str) -> Front | None:
    """The dialect of a POST to `path`; None for any other."""
    if found := BEDROCK_PATH.fullmatch(path):
        action = found[2]
        route: Route = "count_tokens" if action == "count-tokens" else "messages"
        return Front("bedrock", route, anthropic_id(unquote(found[1])), action == "invoke-with-response-stream")
    if found := VERTEX_PATH.fullmatch(path):
        model = unquote(found[1])
        if model == COUNT_TOKENS:
            return Front("vertex", "count_tokens", "", False)
        return Front("vertex", "messages", anthropic_id(model), found[2] == "streamRawPredict")
    return None


def anthropic_id(model: str) -> str:
    """The id by which Anthropic knows a model of Bedrock or Vertex AI; a profile's ARN stays as it is."""
    if model.startswith("arn:"):
        inside = model.rpartition("/")[2]
        return anthropic_id(inside) if PROFILE_SCOPE.match(inside) else model
    if PROFILE_SCOPE.match(model):
        return BEDROCK_REVISION.sub("", PROFILE_SCOPE.sub("", model))
    name, _, dated = model.partition("@")
    return f"{name.removesuffix('-v2')}-{dated}" if dated.isdigit() else name


def adopt(call: Call, front: Front) -> None:
    """Make the call's body and header lines those of a Messages request. GatewayError for a body that is none."""
    body = call.body
    if front.dialect == "bedrock" and front.route == "count_tokens":
        body = counted_body(body)
    try:
        view = read_request(body, model_required=False)
    except RequestError as exc:
        raise invalid_request(str(exc)) from None
    model = front.model or (anthropic_id(view.model) if front.dialect == "vertex" else "")
    if not model:
        raise invalid_request("The request names no model.")
    put = b'"model":' + _quoted(model)
    if front.stream:
        put += b',"stream":true'
    stated = members(body, (b"anthropic_beta",)).get(b"anthropic_beta")
    call.body = splice(body, (b"model", b"stream", b"anthropic_version", b"anthropic_beta"), put)
    relined(call, view.anthropic_version, body_betas(stated))


def relined(call: Call, version: str, betas: list[str]) -> None:
    """Version and betas in the header, where Anthropic has them; betas of both places are sent, each once."""
    if version and not VERSION_TEXT.fullmatch(version):
        raise invalid_request("anthropic_version is no version.")
    kept, named, has_version = [], [], False
    for line in call.head.lines.split(b"\r\n"):
        if line.startswith(b"anthropic-beta:"):
            named += [beta.strip() for beta in line[15:].decode("latin-1").split(",")]
        elif line and not line.startswith((b"anthropic-version:", b"accept:")):
            kept.append(line)
    version = VERSIONS.get(version, version)
    if version:
        kept.append(f"anthropic-version: {version}".encode())
        has_version = True
    every = [beta for beta in dict.fromkeys([*named, *betas]) if beta]
    if every:
        kept.append(f"anthropic-beta: {','.join(every)}".encode("latin-1"))
    call.own_lines = b"".join(line + b"\r\n" for line in kept)
    call.own_version = has_version


def body_betas(stated: bytes | None) -> list[str]:
    if stated is None or stated == b"null":
        return []
    try:
        betas = msgspec.json.decode(stated, type=list[str])
    except msgspec.MsgspecError:
        raise invalid_request("anthropic_beta must be a list of strings.") from None
    if not all(BETA_TEXT.fullmatch(beta) for beta in betas):
        raise invalid_request("anthropic_beta holds what is no beta's name.")
    return betas


class _Invoke(msgspec.Struct):
    body: bytes


class _Input(msgspec.Struct):
    invoke: _Invoke = msgspec.field(name="invokeModel")


class _Count(msgspec.Struct):
    input: _Input


def counted_body(body: bytes) -> bytes:
    """The Messages body inside a Bedrock CountTokens request."""
    try:
        return msgspec.json.decode(body, type=_Count).input.invoke.body
    except msgspec.MsgspecError:
        raise invalid_request("CountTokens takes input.invokeModel.body with a Messages body in base64.") from None
