"""What tests of the cache ask of an answer."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from tests.support.plane import CACHE, OTHER_KEY, Answer, Plane

__all__ = ["OTHER_KEY", "THIRD_KEY", "cache_of", "closing_of", "set_policy", "twice", "without_closing"]

THIRD_KEY = "sk-test-carol-0123456789abcdef0123456789"


def cache_of(answer: Answer) -> str:
    return answer.headers["x-fastgate-cache"]


def without_closing(stream: bytes) -> bytes:
    head, _, closing = stream.rpartition(b": fastgate ")
    assert closing.endswith(b"}\n\n")
    return head


def closing_of(stream: bytes) -> Any:
    return json.loads(stream.rpartition(b": fastgate ")[2])


def set_policy(plane: Plane, **changes: Any) -> None:
    """Another policy in force; the plane's fixture puts the usual one back."""
    plane.cache = msgspec.structs.replace(CACHE, **changes)
    plane.publish()
    plane.wait_adopted()


def twice(plane: Plane, text: str, **changes: Any) -> tuple[str, str]:
    return cache_of(plane.message(text, **changes)), cache_of(plane.message(text, **changes))
