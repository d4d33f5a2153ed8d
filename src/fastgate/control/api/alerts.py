"""Alerts as resources of the admin API. Each handler names its operation."""

from __future__ import annotations

from typing import Annotated

from litestar import get, post
from litestar.params import Parameter

from fastgate.control import shapes_alerts as shapes
from fastgate.control.api.access import actor_of
from fastgate.control.api.routes import AnyRequest, Limit
from fastgate.control.operations import DEFAULT_PAGE, Operations
from fastgate.control.shapes import Page

Before = Annotated[int, Parameter(ge=0, description="`next` of the page before")]


@get("/alerts", sync_to_thread=True)
def alerts(operations: Operations, cursor: Before = 0, limit: Limit = DEFAULT_PAGE) -> Page[shapes.Alert]:
    """Alerts that were raised, newest first, each with how far it is with whom."""
    return operations.alerts.list(cursor, limit)


@get("/alerts/channels", sync_to_thread=True)
def channels(operations: Operations) -> Page[shapes.AlertChannel]:
    """The configured channels, without their secrets."""
    return operations.alerts.channels()


@post("/alerts/test", status_code=200, sync_to_thread=True)
def test_alerts(
    operations: Operations, request: AnyRequest, data: shapes.AlertTest | None = None
) -> Page[shapes.AlertTried]:
    """Sends a test message through one channel or all, now, and says how each attempt ended."""
    return operations.alerts.test(data or shapes.AlertTest(), actor_of(request))


@post("/alerts/retry", status_code=200, sync_to_thread=True)
def retry_alerts(
    operations: Operations, request: AnyRequest, data: shapes.AlertRetry | None = None
) -> shapes.AlertRetried:
    """Tries deliveries again that were given up."""
    return operations.alerts.retry(data or shapes.AlertRetry(), actor_of(request))


HANDLERS = [alerts, channels, test_alerts, retry_alerts]
