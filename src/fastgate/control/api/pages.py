"""What the control plane answers without a token: liveness, metrics without names, a page that says what this is."""

from __future__ import annotations

import html

from litestar import MediaType, Response, get

import fastgate
from fastgate.control.operations import Operations

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>fastgate</title>
<style>body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem; }}</style>
<h1>fastgate {version}</h1>
<p>The control plane is running; snapshot generation {generation}, {workers} of {configured} workers, {in_flight} calls
in flight{draining}.</p>
<p>The web console comes in a later version. Until then:</p>
<ul>
<li><code>fastgate calls list</code>, <code>fastgate spend --by user</code>, <code>fastgate top</code></li>
<li>the admin API under <code>/api/v1/</code>, described by <a href="/api/openapi.json">/api/openapi.json</a></li>
<li><a href="/metrics">/metrics</a> for Prometheus</li>
</ul>
</html>
"""

SAFE = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


@get("/healthz", include_in_schema=False, sync_to_thread=False)
def healthz() -> dict[str, str]:
    """Alive."""
    return {"status": "ok"}


@get("/metrics", include_in_schema=False, sync_to_thread=True)
def metrics(operations: Operations) -> Response[str]:
    """Figures of the whole gateway in Prometheus' text form."""
    return Response(operations.metrics(), media_type=PROMETHEUS)


@get("/", include_in_schema=False, sync_to_thread=True)
def root(operations: Operations) -> Response[str]:
    """What this is and where to go."""
    status = operations.status()
    page = PAGE.format(
        version=html.escape(fastgate.__version__),
        generation=status.generation,
        workers=len(status.workers),
        configured=status.workers_configured,
        in_flight=status.in_flight,
        draining=", draining" if status.draining else "",
    )
    return Response(page, media_type=MediaType.HTML, headers=SAFE)
