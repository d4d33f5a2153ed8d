"""Finished calls and what they cost, as people ask for them: filters in words, answers in the shapes of the API."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from fastgate.control import shapes
from fastgate.control.errors import OperationError, moment
from fastgate.control.shapes import Page
from fastgate.control.usage import UsageTable
from fastgate.control.usage_queries import Filters, spend_view
from fastgate.journal.view import call_view

T = TypeVar("T")

TAG_SEPARATOR = "="


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls. `tag` holds NAME=VALUE; `model` is the one asked for or the one that served."""

    since: str | None = None
    until: str | None = None
    org: str | None = None
    team: str | None = None
    user: str | None = None
    key: str | None = None
    cost_center: str | None = None
    model: str | None = None
    endpoint: str | None = None
    outcome: str | None = None
    session: str | None = None
    agent: str | None = None
    tag: Sequence[str] = ()


class Calls:
    """Questions to the usage table."""

    def __init__(self, table: UsageTable) -> None:
        self.table = table

    def list(self, query: Query, limit: int, cursor: str | None) -> Page[shapes.Call]:
        """Newest first."""
        filters = filters_of(query)
        found, following = _asked(lambda: self.table.calls(filters, limit, cursor))
        return Page([msgspec.convert(call_view(record), shapes.Call) for record in found], following)

    def show(self, call_id: str) -> shapes.Call:
        record = self.table.call(call_id)
        if record is None:
            raise OperationError("not_found", f"there is no finished call {call_id}.")
        return msgspec.convert(call_view(record), shapes.Call)

    def spend(self, by: Sequence[str], query: Query) -> shapes.Spend:
        filters = filters_of(query)
        rows = _asked(lambda: self.table.spend(by, filters))
        total = self.table.spend([], filters)[0]
        return shapes.Spend([spend_view(row) for row in rows] if by else [], spend_view(total))

    def outcomes(self) -> dict[str, dict[str, Any]]:
        """Sums of each outcome since the table began."""
        return {row.group["outcome"]: spend_view(row) for row in self.table.spend(["outcome"])}


def filters_of(query: Query) -> Filters:
    """The filters as the table takes them. Raises OperationError for a moment or tag that is none."""
    named = {name: getattr(query, name) for name in Filters.__struct_fields__ if hasattr(query, name)}
    tags = dict(_tag(text) for text in query.tag)
    since_ns = None if query.since is None else moment("since", query.since)
    until_ns = None if query.until is None else moment("until", query.until)
    return Filters(since_ns=since_ns, until_ns=until_ns, tags=tags, **named)


def _tag(text: str) -> tuple[str, str]:
    name, separator, value = text.partition(TAG_SEPARATOR)
    if not separator or not name:
        raise OperationError("invalid", f"tag: {text!r} is not NAME=VALUE.")
    return name, value


def _asked(question: Callable[[], T]) -> T:
    try:
        return question()
    except ValueError as error:
        raise OperationError("invalid", f"{error}.") from None
