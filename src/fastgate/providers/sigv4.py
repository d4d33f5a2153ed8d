"""AWS Signature Version 4 for one request: the Authorization header, byte for byte what botocore computes.

Source: AWS General Reference, "Signing AWS API requests". The body's digest is part of the signature, so what was
judged is what is sent. Knows nothing of where keys come from (credentials.py) nor of Bedrock's paths (bedrock.py).
"""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import quote

from fastgate.clock import wall_ns

SCOPES_KEPT = 64
"""Signing keys by secret, day and region: a deployment has a few, and each serves a whole day."""


class AwsKeys(NamedTuple):
    """What signs. `token` is empty for keys that do not end."""

    access_key: str
    secret_key: str
    token: str = ""

    def __repr__(self) -> str:
        return "AwsKeys(***)"


def amz_date() -> str:
    """The present moment as x-amz-date has it."""
    return datetime.fromtimestamp(wall_ns() // 1_000_000_000, UTC).strftime("%Y%m%dT%H%M%SZ")


@lru_cache(maxsize=SCOPES_KEPT)
def signing_key(secret_key: str, day: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def authorization(
    keys: AwsKeys,
    region: str,
    service: str,
    at: str,
    method: str,
    path: str,
    headers: list[tuple[str, str]],
    body: bytes,
) -> str:
    """The value of the Authorization header. `at` is the request's x-amz-date (`20261124T093000Z`), `path` as it is
    sent (quoted once; signed quoted twice, as every service but S3 wants it), without a query; `headers` those that
    are signed, x-amz-date and host among them."""
    signed = sorted((name.lower(), " ".join(value.split())) for name, value in headers)
    names = ";".join(name for name, _ in signed)
    canonical = "\n".join([
        method,
        quote(path, safe="/~"),
        "",
        *(f"{name}:{value}" for name, value in signed),
        "",
        names,
        sha256(body).hexdigest(),
    ])  # fmt: skip
    scope = f"{at[:8]}/{region}/{service}/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
    key = signing_key(keys.secret_key, at[:8], region, service)
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    return f"AWS4-HMAC-SHA256 Credential={keys.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
