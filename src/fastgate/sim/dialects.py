"""The scripted upstream as Amazon Bedrock or Google Vertex AI: their paths, bodies, credentials, frames and errors.

A request of a dialect becomes the Messages request it stands for, so the script and the log are the same. What the
real provider refuses is refused: a model in the body, an unknown beta, a field without its beta. Written without
anything of the gateway's own, so that neither side's idea of a frame proves itself.
"""

from __future__ import annotations

import base64
import re
import struct
import zlib
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote

import msgspec

from fastgate.sim.conversation import BadRequestError

Dialect = Literal["anthropic", "bedrock", "vertex"]
DIALECTS: tuple[Dialect, ...] = ("anthropic", "bedrock", "vertex")

BEDROCK_PATH = re.compile(r"/model/([^/]+)/(invoke|invoke-with-response-stream|count-tokens)")
VERTEX_PATH = re.compile(
    r"/v1/projects/[^/]+/locations/[^/]+/publishers/anthropic/models/([^/:]+):(rawPredict|streamRawPredict)"
)
SIGNED = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/\d{8}/[a-z0-9-]+/bedrock/aws4_request, "
    r"SignedHeaders=([a-z0-9;-]+), Signature=[0-9a-f]{64}"
)
BETAS = re.compile(
    r"(claude-code|interleaved-thinking|thinking-token-count|thinking-display-updates|effort|tool-search-tool|"
    r"tool-examples|context-1m|fine-grained-tool-streaming|computer-use|token-efficient-tools|output-128k|"
    r"dev-full-thinking|extended-cache-ttl|prompt-caching|web-search)-\d{4}-?\d{2}-?\d{2}"
)
FOREIGN_FIELDS = (
    "context_management",
    "safeguards",
    "speed",
    "mcp_servers",
    "container",
    "service_tier",
    "inference_geo",
)
VERSION_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")

_decode = msgspec.json.Decoder(dict[str, Any]).decode
encode = msgspec.json.Encoder().encode


class Asked(NamedTuple):
    """What a request of a dialect asks, as the Messages API has it."""

    path: str
    body: bytes


def read_bedrock(path: str, body: bytes) -> Asked:
    found = BEDROCK_PATH.fullmatch(path)
    if found is None:
        raise LookupError(path)
    fields = decoded(body)
    if found[2] == "count-tokens":
        fields = decoded(base64.b64decode(fields["input"]["invokeModel"]["body"]))
    for name in ("model", "stream"):
        if name in fields:
            raise BadRequestError(f"Malformed input request: extraneous key [{name}] is not permitted")
    version = str(fields.pop("anthropic_version", ""))
    if version != "bedrock-2023-05-31" and not VERSION_DATE.fullmatch(version):
        raise BadRequestError("anthropic_version: Field required")
    check_fields(fields, fields.pop("anthropic_beta", []))
    fields |= {"model": unquote(found[1]), "stream": found[2] == "invoke-with-response-stream"}
    return Asked("/v1/messages/count_tokens" if found[2] == "count-tokens" else "/v1/messages", encode(fields))


def read_vertex(path: str, body: bytes, betas: str) -> Asked:
    found = VERTEX_PATH.fullmatch(path)
    if found is None:
        raise LookupError(path)
    fields = decoded(body)
    counting = found[1] == "count-tokens"
    if ("model" in fields) != counting:
        raise BadRequestError("model: Extra inputs are not permitted" if not counting else "model: Field required")
    version = str(fields.pop("anthropic_version", ""))
    if version != "vertex-2023-10-16" and not VERSION_DATE.fullmatch(version):
        raise BadRequestError("anthropic_version: Field required")
    if bool(fields.get("stream")) != (found[2] == "streamRawPredict"):
        raise BadRequestError("stream: does not agree with the method")
    check_fields(fields, [beta.strip() for beta in betas.split(",") if beta.strip()])
    if not counting:
        fields["model"] = unquote(found[1])
    return Asked("/v1/messages/count_tokens" if counting else "/v1/messages", encode(fields))


def decoded(body: bytes) -> dict[str, Any]:
    try:
        return _decode(body)
    except msgspec.MsgspecError as error:
        raise BadRequestError(f"Malformed input request: {error}") from None


def check_fields(fields: dict[str, Any], betas: list[str]) -> None:
    """Refuse what these providers refuse of Anthropic's newest."""
    for beta in betas:
        if not BETAS.fullmatch(beta):
            raise BadRequestError(f"invalid beta flag: {beta}")
    for name in FOREIGN_FIELDS:
        if name in fields:
            raise BadRequestError(f"{name}: Extra inputs are not permitted")
    deferred = any(tool.get("defer_loading") is not None for tool in fields.get("tools", []))
    if deferred and not any(beta.startswith("tool-search-tool-") for beta in betas):
        raise BadRequestError("tools.0.custom.defer_loading: Extra inputs are not permitted")


def credential(dialect: Dialect, authorization: str, amz_date: str) -> str:
    """The key that a request carries: a bearer token, or the access key of a signature. PermissionError without one."""
    if authorization.startswith("Bearer "):
        return authorization.removeprefix("Bearer ").strip()
    found = SIGNED.fullmatch(authorization) if dialect == "bedrock" else None
    if found is None:
        raise PermissionError("Missing Authentication Token")
    if not amz_date or not {"host", "x-amz-date"} <= set(found[2].split(";")):
        raise PermissionError("Authorization header requires 'host' and 'x-amz-date' to be signed")
    return found[1]


# ---- Frames (Smithy, Amazon Event Stream Specification) -------------------------------------------------------------

EXCEPTIONS = {
    "rate_limit_error": "throttlingException",
    "overloaded_error": "serviceUnavailableException",
    "timeout_error": "modelTimeoutException",
    "invalid_request_error": "validationException",
}


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    block = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack(">II", 16 + len(block) + len(payload), len(block))
    whole = prelude + struct.pack(">I", zlib.crc32(prelude)) + block + payload
    return whole + struct.pack(">I", zlib.crc32(whole))


def framed(event: bytes) -> bytes:
    """One SSE event as Bedrock sends it; pings are not sent, and what is no event goes out as it is."""
    lines = event.split(b"\n")
    if len(lines) != 4 or not lines[0].startswith(b"event: ") or not lines[1].startswith(b"data: "):
        return event
    name, data = lines[0][7:].decode(), lines[1][6:]
    if name == "ping":
        return b""
    if name == "error":
        said = _decode(data)["error"]
        code = EXCEPTIONS.get(said["type"], "internalServerException")
        headers = {":exception-type": code, ":content-type": "application/json", ":message-type": "exception"}
        return frame(headers, encode({"message": said["message"]}))
    headers = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
    return frame(headers, encode({"bytes": base64.b64encode(data).decode(), "p": "abcdefghijk"}))


# ---- Errors ---------------------------------------------------------------------------------------------------------

GOOGLE_STATUS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
                 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}  # fmt: skip


def refusal(dialect: Dialect, status: int, message: str) -> bytes:
    """The body of an error, in the envelope of the cloud."""
    if dialect == "bedrock":
        return encode({"message": message})
    return encode({"error": {"code": status, "message": message, "status": GOOGLE_STATUS.get(status, "INTERNAL")}})
