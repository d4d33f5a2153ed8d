"""Puts the API together: routes, the token check, errors, OpenAPI."""

from __future__ import annotations

from litestar import Litestar, Router
from litestar.di import Provide
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

import fastgate
from fastgate.control.api import alerts, budgets, caching, guards, routes, routing
from fastgate.control.api.access import TokenCheck, require_known_query
from fastgate.control.api.answers import HANDLERS
from fastgate.control.api.pages import healthz, metrics, root
from fastgate.control.operations import Operations

BODY_BYTES = 1024 * 1024
"""Largest request body of a route that does not say otherwise; a key's is below 64 KiB."""

BEARER = "admin token"

RESOURCES = (routes, budgets, caching, routing, guards, alerts)


def build(operations: Operations, token: str) -> Litestar:
    """The ASGI application over `operations`, for whoever knows `token`."""
    api = Router(
        path="/api/v1",
        route_handlers=[handler for part in RESOURCES for handler in part.HANDLERS],
        guards=[TokenCheck(token), require_known_query],
        security=[{BEARER: []}],
    )
    return Litestar(
        route_handlers=[api, healthz, metrics, root],
        dependencies={
            "operations": Provide(lambda: operations, sync_to_thread=False),
            "asked": Provide(routes.query_of, sync_to_thread=False),
        },
        exception_handlers=HANDLERS,
        openapi_config=OpenAPIConfig(
            title="fastgate admin API",
            version=fastgate.__version__,
            description="Errors are `{type, error: {type, message, problems}, request_id}`, as on the data plane.",
            path="/api",
            components=Components(security_schemes={BEARER: SecurityScheme(type="http", scheme="bearer")}),
            render_plugins=[JsonRenderPlugin()],
        ),
        request_max_body_size=BODY_BYTES,
        logging_config=None,
        debug=False,
    )
