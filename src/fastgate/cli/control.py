"""What commands ask of a gateway, by name: over HTTP while its control plane runs, else of its state directory itself.

Both ways answer the same JSON-ready shapes (fastgate.control.shapes) and fail with the same failures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from fastgate.cli.control_alerts import AlertControl, RemoteAlerts
from fastgate.cli.control_budgets import BudgetControl, RemoteBudgets
from fastgate.cli.control_cache import CacheControl, RemoteCache
from fastgate.cli.control_routing import RemoteRouting, RoutingControl
from fastgate.cli.instance import Place, find_place
from fastgate.cli.remote import REPLAY_S, Remote, segment

Json = dict[str, Any]


class Control(Protocol):
    """The operations. `listen` is where the data plane answers."""

    listen: str

    @property
    def budgets(self) -> BudgetControl: ...
    @property
    def cache(self) -> CacheControl: ...
    @property
    def routing(self) -> RoutingControl: ...
    @property
    def alerts(self) -> AlertControl: ...
    def __enter__(self) -> Control: ...
    def __exit__(self, *ended: object) -> None: ...
    def keys_create(self, new: Json) -> Json: ...
    def keys_list(self, cursor: str, limit: int) -> Json: ...
    def keys_show(self, key_id: str) -> Json: ...
    def keys_rotate(self, key_id: str, overlap_s: int) -> Json: ...
    def keys_revoke(self, key_id: str) -> Json: ...
    def calls_list(self, filters: Mapping[str, Any], cursor: str, limit: int) -> Json: ...
    def calls_show(self, call_id: str) -> Json: ...
    def audit_find(self, sha256: str, path: str, cursor: str, limit: int) -> Json: ...
    def guards_show(self) -> Json: ...
    def audit_list(self, cursor: str, limit: int) -> Json: ...
    def spend(self, by: Sequence[str], filters: Mapping[str, Any], period: str = "") -> Json: ...
    def focus(self, filters: Mapping[str, Any]) -> Iterator[bytes]: ...
    def dry_run(self, path: Path, between: Mapping[str, Any]) -> Json: ...
    def apply(self, path: Path, dry_run: bool) -> Json: ...


def open_control(purpose: str, writes: bool = False) -> Control:
    """The control of the gateway that this invocation means. `purpose` is what a waiting writer is told."""
    place = find_place()
    if place.running is not None:
        return RemoteControl(place.running.control, place.running.admin_token, place.running.listen)
    return local(place, purpose, writes)


def local(place: Place, purpose: str, writes: bool) -> Control:
    from fastgate.cli.local import LocalControl

    return LocalControl(place, purpose, writes)


class RemoteControl:
    """The control plane's API."""

    def __init__(self, address: str, token: str, listen: str) -> None:
        self.listen = listen
        self._api = Remote(address, token)
        self.budgets: BudgetControl = RemoteBudgets(self._api)
        self.cache: CacheControl = RemoteCache(self._api)
        self.routing: RoutingControl = RemoteRouting(self._api)
        self.alerts: AlertControl = RemoteAlerts(self._api)

    def __enter__(self) -> RemoteControl:
        return self

    def __exit__(self, *ended: object) -> None: ...

    def keys_create(self, new: Json) -> Json:
        return self._object(self._api.post("/api/v1/keys", new))

    def keys_list(self, cursor: str, limit: int) -> Json:
        return self._object(self._api.get("/api/v1/keys", {"cursor": cursor, "limit": limit}))

    def keys_show(self, key_id: str) -> Json:
        return self._object(self._api.get(f"/api/v1/keys/{segment(key_id)}"))

    def keys_rotate(self, key_id: str, overlap_s: int) -> Json:
        return self._object(self._api.post(f"/api/v1/keys/{segment(key_id)}/rotate", {"overlap_s": overlap_s}))

    def keys_revoke(self, key_id: str) -> Json:
        return self._object(self._api.post(f"/api/v1/keys/{segment(key_id)}/revoke"))

    def calls_list(self, filters: Mapping[str, Any], cursor: str, limit: int) -> Json:
        return self._object(self._api.get("/api/v1/calls", {**filters, "cursor": cursor, "limit": limit}))

    def calls_show(self, call_id: str) -> Json:
        return self._object(self._api.get(f"/api/v1/calls/{segment(call_id)}"))

    def audit_find(self, sha256: str, path: str, cursor: str, limit: int) -> Json:
        asked = {"sha256": sha256, "path": path, "cursor": cursor, "limit": limit}
        return self._object(self._api.get("/api/v1/audit/sightings", asked))

    def audit_list(self, cursor: str, limit: int) -> Json:
        return self._object(self._api.get("/api/v1/audit", {"cursor": cursor, "limit": limit}))

    def guards_show(self) -> Json:
        return self._object(self._api.get("/api/v1/guards"))

    def spend(self, by: Sequence[str], filters: Mapping[str, Any], period: str = "") -> Json:
        return self._object(self._api.get("/api/v1/spend", {"by": list(by), **filters, "forecast": period}))

    def focus(self, filters: Mapping[str, Any]) -> Iterator[bytes]:
        return self._api.stream("/api/v1/spend/focus", filters)

    def dry_run(self, path: Path, between: Mapping[str, Any]) -> Json:
        from fastgate.cli.directory_text import resolved_budgets

        api = Remote(self._api.address, self._api.token, REPLAY_S)
        return self._object(api.call("POST", "/api/v1/budgets/dry-run", query=between, body=resolved_budgets(path)))

    def apply(self, path: Path, dry_run: bool) -> Json:
        from fastgate.cli.directory_text import resolved

        query = {"dry_run": "true" if dry_run else "false"}
        return self._object(self._api.call("POST", "/api/v1/apply", query=query, body=resolved(path)))

    def status(self) -> Json:
        return self._object(self._api.get("/api/v1/status"))

    @staticmethod
    def _object(answer: Any) -> Json:
        assert isinstance(answer, dict)
        return answer
