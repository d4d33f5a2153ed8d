"""Edits of a request body, slowly: what the edited body must say, from the standard library's reading of it."""

from __future__ import annotations

import json
from typing import Any

Pairs = list[tuple[str, Any]]


def edited(body: bytes, drop: set[str], first: Pairs, tool_drop: set[str]) -> Pairs:
    """The members, in order, of the body as it is to be sent."""
    said: Pairs = list(first)
    for name, value in json.loads(body, object_pairs_hook=list):
        if name in drop:
            continue
        if tool_drop and name == "tools" and isinstance(value, list):
            value = [without(tool, tool_drop) if is_object(tool) else tool for tool in value]
        said.append((name, value))
    return said


def without(pairs: Pairs, drop: set[str]) -> Pairs:
    return [(name, value) for name, value in pairs if name not in drop]


def is_object(value: Any) -> bool:
    """A list of pairs is how an object is read here; an empty one says the same either way."""
    return isinstance(value, list) and all(isinstance(item, tuple) for item in value)
