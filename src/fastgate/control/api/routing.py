"""Routing decisions in the admin API."""

from __future__ import annotations

from litestar import get, post

from fastgate.control import shapes_routing as shapes
from fastgate.control.operations import Operations

REQUEST_BYTES = 34 * 1024 * 1024
"""A request of the largest size that the data plane takes by default, and its wrapping."""


@get("/calls/{call_id:str}/route", sync_to_thread=True)
def route(operations: Operations, call_id: str) -> shapes.Explanation:
    """Why a finished call went where it went: every endpoint that could serve it, warm tokens, expected price."""
    return operations.routing.explain(call_id)


@post("/route", status_code=200, sync_to_thread=True, request_max_body_size=REQUEST_BYTES)
def explain(operations: Operations, data: shapes.Question) -> shapes.Explanation:
    """Where a request would go now. Nothing is sent."""
    return operations.routing.explain_request(data)


HANDLERS = [route, explain]
