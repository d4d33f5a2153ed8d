"""Tags of calls: what they may be called and hold, and those that a client sets for one call with its headers.

A tag that is open is what its client says it is. Pure; knows neither files nor requests.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from fastgate.budgets import RESERVED_TAGS

HEADER = "x-fastgate-tag-"
"""Begins the request headers that set one, in lower case."""

MAX_TAGS = 32
"""Tags of one call; each is written into its record."""
MAX_TAG_CHARS = 128
"""Of a tag's value; room for a branch name."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")

Given = tuple[tuple[str, str], ...]
"""(name, value) in the order of the names."""


def tag_name_problem(value: str) -> str | None:
    if value in RESERVED_TAGS:
        return f"the tag {value} is reserved" + ("; use the key cost_center" if value == "cost_center" else "")
    return None if _NAME.fullmatch(value) else "must be 1 to 64 lower-case letters, digits or any of . _ -"


def tag_value_problem(value: str) -> str | None:
    if 0 < len(value) <= MAX_TAG_CHARS and value.isprintable() and value == value.strip():
        return None
    return f"must be 1 to {MAX_TAG_CHARS} printable characters without spaces around them"


def given(own: Iterable[tuple[str, str]], open_tags: Iterable[str], tags: Mapping[str, str]) -> Given:
    """The open tags that a request's own headers set; other tags are not its client's to set, nor those that the call
    has anyway (`tags`): what an administrator said stands. Raises ValueError with what is wrong with one."""
    found: dict[str, str] = {}
    for header, value in own:
        name = header.removeprefix(HEADER)
        if name != header and name in open_tags and name not in tags:
            value = value.strip()
            if wrong := tag_value_problem(value):
                raise ValueError(f"{header}: {wrong}")
            found[name] = value
    if len(found) + len(tags) > MAX_TAGS:
        raise ValueError(f"{HEADER}…: more than {MAX_TAGS} tags")
    return tuple(sorted(found.items()))
