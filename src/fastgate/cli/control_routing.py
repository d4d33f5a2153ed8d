"""What commands ask about routing: over HTTP, or of the state directory itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from fastgate.cli.remote import Remote, segment

if TYPE_CHECKING:
    from fastgate.control.routing import Routing

Json = dict[str, Any]


class RoutingControl(Protocol):
    """The operations; each answers the JSON-ready shapes of fastgate.control.shapes_routing."""

    def explain(self, call_id: str) -> Json: ...
    def explain_request(self, question: Json) -> Json: ...


class RemoteRouting:
    """The control plane's API."""

    def __init__(self, api: Remote) -> None:
        self._api = api

    def explain(self, call_id: str) -> Json:
        answer: Json = self._api.get(f"/api/v1/calls/{segment(call_id)}/route")
        return answer

    def explain_request(self, question: Json) -> Json:
        answer: Json = self._api.post("/api/v1/route", question)
        return answer


class LocalRouting:
    """The state directory's own."""

    def __init__(self, routing: Routing, shown: Callable[[Callable[[], Any]], Json], count: Callable[[], None]) -> None:
        self._routing = routing
        self._shown = shown
        self._count = count

    def explain(self, call_id: str) -> Json:
        self._count()
        return self._shown(lambda: self._routing.explain(call_id))

    def explain_request(self, question: Json) -> Json:
        import msgspec

        from fastgate.control.shapes_routing import Question

        return self._shown(lambda: self._routing.explain_request(msgspec.convert(question, Question)))
