"""What a model id may be, in whatever field of a request it stands."""

from __future__ import annotations

from fastgate._core.head import printable
from fastgate.errors import invalid_request

MODEL_CHARS_MAX = 256
"""Longest model id. Bedrock's, the longest, are ARNs of some 150 characters."""


def judge_model(model: str, what: str = "model") -> None:
    """Model ids travel in headers, records and tables; every provider's are short and printable. GatewayError where
    this one is not; `what` names the field."""
    if len(model) > MODEL_CHARS_MAX or not printable(model):
        raise invalid_request(f"{what} must be printable ASCII of at most {MODEL_CHARS_MAX} characters.")
