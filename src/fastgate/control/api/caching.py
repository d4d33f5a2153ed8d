"""The cache as a resource of the admin API."""

from __future__ import annotations

from litestar import get, post

from fastgate.control import shapes_cache as shapes
from fastgate.control.api.access import actor_of
from fastgate.control.api.routes import AnyRequest
from fastgate.control.operations import Operations


@get("/cache", sync_to_thread=True)
def cache(operations: Operations) -> shapes.CacheStats:
    """What the cache answered and saved, by org, team and namespace, and what it holds."""
    return operations.caching.stats()


@get("/cache/sessions", sync_to_thread=True)
def cache_sessions(operations: Operations, since: str | None = None, limit: int = 100) -> shapes.CacheSessions:
    """Sessions by what breaks of the provider's prompt cache cost them; of the last day unless `since` says more."""
    return operations.caching.sessions(since, limit)


@post("/cache/purge", status_code=200, sync_to_thread=True)
def purge(operations: Operations, request: AnyRequest, data: shapes.NewPurge) -> shapes.Purged:
    """Forgets answers by key, namespace, org, team, user, model or age; or all."""
    return operations.caching.purge(data, actor_of(request))


HANDLERS = [cache, cache_sessions, purge]
