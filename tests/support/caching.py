"""What tests of the cache ask of an answer."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from fastgate.snapshot_cache import CachePolicy
from tests.support.plane import CACHE, KEY, OTHER_KEY, Answer, Plane, endpoint, key_row
from tests.support.sim import SimProcess

__all__ = [
    "OTHER_KEY", "THIRD_KEY", "cache_of", "closing_of", "lent", "set_policy", "shared", "twice", "without_closing",
]  # fmt: skip

THIRD_KEY = "sk-test-carol-0123456789abcdef0123456789"


def shared(folder: Path, simulator: SimProcess, policy: CachePolicy) -> Iterator[Plane]:
    """A plane for a module: alice and bob of team platform, carol of team data."""
    made = Plane(folder, (endpoint(simulator.url),), cache=policy)
    made.keys = [
        key_row(made.pepper, KEY),
        key_row(made.pepper, OTHER_KEY, key="bob-laptop", user="bob"),
        key_row(made.pepper, THIRD_KEY, key="carol-laptop", user="carol", team="data"),
    ]
    made.publish()
    yield made.start()
    made.stop()


def lent(plane: Plane, simulator: SimProcess, policy: CachePolicy) -> Iterator[Plane]:
    """It for one test; what the test changed is put back."""
    simulator.fresh()
    keys = plane.keys
    yield plane
    simulator.unscript()
    plane.wait_idle()
    if plane.cache != policy or plane.keys is not keys:
        plane.cache, plane.keys = policy, keys
        plane.publish()
        time.sleep(0.15)


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
