"""What commands ask about alerts: over HTTP, or of the state directory itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from fastgate.cli.actor import actor
from fastgate.cli.remote import Remote

if TYPE_CHECKING:
    from fastgate.control.alerting import Alerting

Json = dict[str, Any]


class AlertControl(Protocol):
    """The operations; each answers the JSON-ready shapes of fastgate.control.shapes_alerts."""

    def list(self, cursor: int, limit: int) -> Json: ...
    def channels(self) -> Json: ...
    def test(self, asked: Json) -> Json: ...
    def retry(self, asked: Json) -> Json: ...


class RemoteAlerts:
    """The control plane's API."""

    def __init__(self, api: Remote) -> None:
        self._api = api

    def list(self, cursor: int, limit: int) -> Json:
        return self._object(self._api.get("/api/v1/alerts", {"cursor": cursor or None, "limit": limit}))

    def channels(self) -> Json:
        return self._object(self._api.get("/api/v1/alerts/channels"))

    def test(self, asked: Json) -> Json:
        return self._object(self._api.post("/api/v1/alerts/test", asked))

    def retry(self, asked: Json) -> Json:
        return self._object(self._api.post("/api/v1/alerts/retry", asked))

    @staticmethod
    def _object(answer: Any) -> Json:
        assert isinstance(answer, dict)
        return answer


class LocalAlerts:
    """The same operations in this process."""

    def __init__(self, alerts: Alerting, shown: Callable[[Callable[[], Any]], Json]) -> None:
        self._alerts = alerts
        self._shown = shown

    def list(self, cursor: int, limit: int) -> Json:
        return self._shown(lambda: self._alerts.list(cursor, limit))

    def channels(self) -> Json:
        return self._shown(self._alerts.channels)

    def test(self, asked: Json) -> Json:
        import msgspec

        from fastgate.control.shapes_alerts import AlertTest

        return self._shown(lambda: self._alerts.test(msgspec.convert(asked, AlertTest), actor()))

    def retry(self, asked: Json) -> Json:
        import msgspec

        from fastgate.control.shapes_alerts import AlertRetry

        return self._shown(lambda: self._alerts.retry(msgspec.convert(asked, AlertRetry), actor()))
