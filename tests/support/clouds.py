"""Scripted clouds and the endpoints that lead to them, for tests of Bedrock and Vertex AI."""

from __future__ import annotations

from typing import Any

from fastgate.snapshot import Endpoint
from tests.support.plane import endpoint

AWS_ACCESS_KEY = "AKIDEXAMPLEEXAMPLE"
AWS_SECRET_KEY = "wJalrXUtnFEMIexampleKEYexampleKEY"
TOKEN = "ya29.scripted-google-token"


def bedrock(url: str, name: str = "bedrock-use1", **changes: Any) -> Endpoint:
    """A Bedrock endpoint; without `api_key` it signs with the keys of its environment."""
    return endpoint(url, name, **{"kind": "bedrock", "region": "us-east-1", "api_key": ""} | changes)


def vertex(url: str, name: str = "vertex-use5", **changes: Any) -> Endpoint:
    return endpoint(
        url,
        name,
        **{"kind": "vertex", "project": "p", "region": "us-east5", "api_key": TOKEN, "auth": "bearer"} | changes,
    )
