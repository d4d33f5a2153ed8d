"""What commands ask about budgets, increases and pauses: over HTTP, or of the state directory itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from fastgate.cli.actor import actor
from fastgate.cli.remote import REPLAY_S, Remote, segment

if TYPE_CHECKING:
    from fastgate.control.budgets import Budgets
    from fastgate.control.shapes_budgets import Reap, Reaped

Json = dict[str, Any]


class BudgetControl(Protocol):
    """The operations; each answers the JSON-ready shapes of fastgate.control.shapes_budgets."""

    def list(self, cursor: str, limit: int) -> Json: ...
    def show(self, budget_id: str) -> Json: ...
    def put(self, budget_id: str, change: Json, dry_run: bool) -> Json: ...
    def remove(self, budget_id: str) -> Json: ...
    def increases(self, budget_id: str, state: str, cursor: str, limit: int) -> Json: ...
    def request(self, budget_id: str, new: Json) -> Json: ...
    def decide(self, increase_id: str, verdict: str) -> Json: ...
    def reap(self, worker: str | None, charge: bool) -> Json: ...
    def pauses(self) -> Json: ...
    def pause(self, new: Json) -> Json: ...
    def resume(self, level: str, of: str, org: str) -> Json: ...


class RemoteBudgets:
    """The control plane's API."""

    def __init__(self, api: Remote) -> None:
        self._api = api

    def list(self, cursor: str, limit: int) -> Json:
        return self._call("GET", "/api/v1/budgets", {"cursor": cursor, "limit": limit})

    def show(self, budget_id: str) -> Json:
        return self._call("GET", f"/api/v1/budgets/{segment(budget_id)}")

    def put(self, budget_id: str, change: Json, dry_run: bool) -> Json:
        """A dry run also replays the calls on record, which takes its time."""
        query = {"dry_run": "true" if dry_run else "false"}
        api = Remote(self._api.address, self._api.token, REPLAY_S) if dry_run else self._api
        answer = api.call("PUT", f"/api/v1/budgets/{segment(budget_id)}", query=query, body=change)
        assert isinstance(answer, dict)
        return answer

    def remove(self, budget_id: str) -> Json:
        return self._call("DELETE", f"/api/v1/budgets/{segment(budget_id)}")

    def increases(self, budget_id: str, state: str, cursor: str, limit: int) -> Json:
        query = {"budget": budget_id, "standing": state, "cursor": cursor, "limit": limit}
        return self._call("GET", "/api/v1/increases", query)

    def request(self, budget_id: str, new: Json) -> Json:
        return self._call("POST", f"/api/v1/budgets/{segment(budget_id)}/increases", body=new)

    def decide(self, increase_id: str, verdict: str) -> Json:
        return self._call("POST", f"/api/v1/increases/{segment(increase_id)}/{verdict}")

    def reap(self, worker: str | None, charge: bool) -> Json:
        return self._call("POST", "/api/v1/budgets/reap", body={"worker": worker, "charge": charge})

    def pauses(self) -> Json:
        return self._call("GET", "/api/v1/pauses")

    def pause(self, new: Json) -> Json:
        return self._call("POST", "/api/v1/pauses", body=new)

    def resume(self, level: str, of: str, org: str) -> Json:
        return self._call("DELETE", "/api/v1/pauses", {"level": level, "of": of, "org": org})

    def _call(self, method: str, path: str, query: Json | None = None, body: Json | None = None) -> Json:
        answer = self._api.call(method, path, query=query, body=body)
        assert isinstance(answer, dict)
        return answer


class LocalBudgets:
    """The same operations in this process; `shown` turns an answer into JSON's types and errors into failures, and
    `count` takes in what the last run left uncounted, `reap` ends leases."""

    def __init__(
        self,
        budgets: Budgets,
        shown: Callable[[Callable[[], Any]], Json],
        count: Callable[[], object],
        reap: Callable[[Reap, str], Reaped],
    ) -> None:
        self._budgets = budgets
        self._reap = reap
        self._shown = shown
        self._count = count

    def list(self, cursor: str, limit: int) -> Json:
        return self._shown(lambda: self._budgets.list(cursor, limit))

    def show(self, budget_id: str) -> Json:
        return self._shown(lambda: self._budgets.show(budget_id))

    def put(self, budget_id: str, change: Json, dry_run: bool) -> Json:
        from fastgate.control.shapes_budgets import BudgetChange

        if dry_run:
            self._count()
        return self._shown(
            lambda: self._budgets.put(budget_id, _converted(change, BudgetChange), actor(), dry_run=dry_run)
        )

    def remove(self, budget_id: str) -> Json:
        return self._shown(lambda: self._budgets.remove(budget_id, actor()))

    def increases(self, budget_id: str, state: str, cursor: str, limit: int) -> Json:
        return self._shown(lambda: self._budgets.increases(budget_id, cursor, limit, state))

    def request(self, budget_id: str, new: Json) -> Json:
        from fastgate.control.shapes_budgets import NewIncrease

        return self._shown(lambda: self._budgets.request(budget_id, _converted(new, NewIncrease), actor()))

    def decide(self, increase_id: str, verdict: Any) -> Json:
        return self._shown(lambda: self._budgets.decide(increase_id, verdict, actor()))

    def reap(self, worker: str | None, charge: bool) -> Json:
        from fastgate.control.shapes_budgets import Reap

        return self._shown(lambda: self._reap(Reap(worker=worker, charge=charge), actor()))

    def pauses(self) -> Json:
        return self._shown(self._budgets.pauses)

    def pause(self, new: Json) -> Json:
        from fastgate.control.shapes_budgets import NewPause

        return self._shown(lambda: self._budgets.pause(_converted(new, NewPause), actor()))

    def resume(self, level: Any, of: str, org: str) -> Json:
        return self._shown(lambda: self._budgets.resume(level, of, org, actor()))


def _converted(body: Json, kind: Any) -> Any:
    """As the API would decode it: amounts may be text."""
    import msgspec

    return msgspec.convert(body, kind)
