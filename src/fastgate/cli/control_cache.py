"""What commands ask about the cache: over HTTP, or of the state directory itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from fastgate.cli.actor import actor
from fastgate.cli.remote import Remote

if TYPE_CHECKING:
    from fastgate.control.caching import Caching

Json = dict[str, Any]


class CacheControl(Protocol):
    """The operations; each answers the JSON-ready shapes of fastgate.control.shapes_cache."""

    def stats(self) -> Json: ...
    def sessions(self, since: str, limit: int) -> Json: ...
    def purge(self, new: Json) -> Json: ...


class RemoteCache:
    """The control plane's API."""

    def __init__(self, api: Remote) -> None:
        self._api = api

    def stats(self) -> Json:
        answer: Json = self._api.get("/api/v1/cache")
        return answer

    def sessions(self, since: str, limit: int) -> Json:
        answer: Json = self._api.get("/api/v1/cache/sessions", {"since": since or None, "limit": limit})
        return answer

    def purge(self, new: Json) -> Json:
        answer: Json = self._api.post("/api/v1/cache/purge", new)
        return answer


class LocalCache:
    """The state directory's own."""

    def __init__(self, caching: Caching, shown: Callable[[Callable[[], Any]], Json], count: Callable[[], None]) -> None:
        self._caching = caching
        self._shown = shown
        self._count = count

    def stats(self) -> Json:
        self._count()
        return self._shown(self._caching.stats)

    def sessions(self, since: str, limit: int) -> Json:
        self._count()
        return self._shown(lambda: self._caching.sessions(since or None, limit))

    def purge(self, new: Json) -> Json:
        import msgspec

        from fastgate.control.shapes_cache import NewPurge

        return self._shown(lambda: self._caching.purge(msgspec.convert(new, NewPurge), actor()))
