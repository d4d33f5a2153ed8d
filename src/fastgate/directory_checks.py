"""Tests of single values of directory.yaml: ids, tags, model globs, moments; and the types that carry them.

Each gives what is wrong with a value, or None. Knows no section of the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from fastgate.keys import MIN_DECLARED_CHARS
from fastgate.refs import Secret
from fastgate.strict import Check
from fastgate.tags import MAX_TAGS, tag_name_problem, tag_value_problem
from fastgate.times import LAST_NS

MAX_PER_MINUTE = 1_000_000_000
"""Requests or tokens: above what any provider serves."""
MAX_PARALLEL = 65_535
"""Calls of one worker that the rate table counts, 16 bits; the flight table holds an eighth of it."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@:+-]{0,127}")
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_GLOB = re.compile(r"[A-Za-z0-9*?\[\]!._:/@-]{1,256}")


def id_problem(value: str) -> str | None:
    if _ID.fullmatch(value):
        return None
    return "must be 1 to 128 letters, digits or any of . _ @ : + - and begin with a letter or digit"


def glob_problem(value: str) -> str | None:
    return None if _GLOB.fullmatch(value) else "must be a model id or a glob of one, like claude-*"


def rate_problem(name: str, value: int | None) -> str | None:
    most = MAX_PARALLEL if name == "parallel_calls" else MAX_PER_MINUTE
    return None if value is None or 0 <= value <= most else f"must be between 0 and {most}"


def tags_problem(value: Mapping[str, str]) -> str | None:
    return f"more than {MAX_TAGS} tags" if len(value) > MAX_TAGS else None


def secret_problem(value: Secret) -> str | None:
    secret = value.reveal()
    if len(secret) >= MIN_DECLARED_CHARS and _VISIBLE.fullmatch(secret):
        return None
    return f"must be {MIN_DECLARED_CHARS} or more visible ASCII characters"


def moment_ns(moment: datetime) -> int:
    """A zoned moment in nanoseconds since the epoch, exactly."""
    seconds = int(moment.replace(microsecond=0).timestamp())
    return (seconds * 1_000_000 + moment.microsecond) * 1000


def moment_problem(value: datetime) -> str | None:
    return None if moment_ns(value) <= LAST_NS else "lies beyond the year 2262, where 64 bits of nanoseconds end"


Id = Annotated[str, Check(id_problem)]
TagName = Annotated[str, Check(tag_name_problem)]
Tags = Annotated[dict[TagName, Annotated[str, Check(tag_value_problem)]], Check(tags_problem)]
Models = tuple[Annotated[str, Check(glob_problem)], ...]
