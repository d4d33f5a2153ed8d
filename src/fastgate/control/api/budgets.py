"""Budgets, increases and pauses as resources of the admin API. Each handler names its operation."""

from __future__ import annotations

from typing import Annotated, Literal

from litestar import delete, get, post, put
from litestar.params import Parameter

from fastgate.control import shapes_budgets as shapes
from fastgate.control.api.access import actor_of
from fastgate.control.api.routes import AnyRequest, Cursor, Limit
from fastgate.control.operations import DEFAULT_PAGE, Operations
from fastgate.control.shapes import Page
from fastgate.snapshot import BudgetLevel

OfBudget = Annotated[str, Parameter(description="only of this budget")]
OfState = Annotated[
    Literal["", "requested", "approved", "denied", "ended"],
    Parameter(description="only those in this state"),
]
TagOrg = Annotated[str, Parameter(description="the org of a tag, where there are several")]
Verdict = Literal["approve", "deny", "end"]


@get("/budgets", sync_to_thread=True)
def budgets(operations: Operations, cursor: Cursor = "", limit: Limit = DEFAULT_PAGE) -> Page[shapes.Budget]:
    """Budgets, by id."""
    return operations.budgets.list(cursor, limit)


@get("/budgets/{budget_id:str}", sync_to_thread=True)
def show_budget(operations: Operations, budget_id: str) -> shapes.Budget:
    """One budget."""
    return operations.budgets.show(budget_id)


@put("/budgets/{budget_id:str}", sync_to_thread=True)
def put_budget(
    operations: Operations, request: AnyRequest, budget_id: str, data: shapes.BudgetChange, dry_run: bool = False
) -> shapes.BudgetPut:
    """Makes a budget, or changes amount, mode and stages of one. Changing a budget changes no spend."""
    return operations.budgets.put(budget_id, data, actor_of(request), dry_run=dry_run)


@delete("/budgets/{budget_id:str}", status_code=200, sync_to_thread=True)
def remove_budget(operations: Operations, request: AnyRequest, budget_id: str) -> shapes.Budget:
    """Removes a budget with its increases. What was spent stays recorded."""
    return operations.budgets.remove(budget_id, actor_of(request))


@post("/budgets/reap", status_code=200, sync_to_thread=True)
def reap(operations: Operations, request: AnyRequest, data: shapes.Reap) -> shapes.Reaped:
    """Frees what workers had leased that are proven dead. With `charge`, what one named worker has leased is charged
    whole; refused while it answers."""
    return operations.reap(data, actor_of(request))


@get("/increases", sync_to_thread=True)
def increases(
    operations: Operations,
    budget: OfBudget = "",
    standing: OfState = "",
    cursor: Cursor = "",
    limit: Limit = DEFAULT_PAGE,
) -> Page[shapes.Increase]:
    """Temporary increases, by id; those in the state `requested` wait for a decision."""
    return operations.budgets.increases(budget, cursor, limit, standing)


@post("/budgets/{budget_id:str}/increases", sync_to_thread=True)
def request_increase(
    operations: Operations, request: AnyRequest, budget_id: str, data: shapes.NewIncrease
) -> shapes.Increase:
    """Asks for a temporary increase of one budget; with `approve` it is granted at once."""
    return operations.budgets.request(budget_id, data, actor_of(request))


@post("/increases/{increase_id:str}/{verdict:str}", status_code=200, sync_to_thread=True)
def decide_increase(operations: Operations, request: AnyRequest, increase_id: str, verdict: Verdict) -> shapes.Increase:
    """`approve` or `deny` one that was requested; `end` one that was approved."""
    return operations.budgets.decide(increase_id, verdict, actor_of(request))


@get("/pauses", sync_to_thread=True)
def pauses(operations: Operations) -> Page[shapes.Pause]:
    """What is paused by hand."""
    return operations.budgets.pauses()


@post("/pauses", sync_to_thread=True)
def pause(operations: Operations, request: AnyRequest, data: shapes.NewPause) -> shapes.Pause:
    """Refuses every new call of an org, team, user, key or tag. Published when this answers."""
    return operations.budgets.pause(data, actor_of(request))


@delete("/pauses", status_code=200, sync_to_thread=True)
def resume(operations: Operations, request: AnyRequest, level: BudgetLevel, of: str, org: TagOrg = "") -> shapes.Pause:
    """Takes calls of what was paused by hand again. Published when this answers."""
    return operations.budgets.resume(level, of, org, actor_of(request))


HANDLERS = [
    budgets,
    show_budget,
    put_budget,
    remove_budget,
    reap,
    increases,
    request_increase,
    decide_increase,
    pauses,
    pause,
    resume,
]
