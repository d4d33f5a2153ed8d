"""The resources of the admin API. Each handler names its operation; they run in threads, so none blocks another."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, delete, get, post
from litestar.params import Parameter
from litestar.response import Stream

from fastgate.control import shapes
from fastgate.control.api.access import actor_of
from fastgate.control.calls import Query
from fastgate.control.operations import DEFAULT_PAGE, Operations
from fastgate.control.shapes import Page
from fastgate.tree import MAX_FILE_BYTES

AnyRequest = Request[Any, Any, Any]

CSV = "text/csv"

Cursor = Annotated[str, Parameter(description="`next` of the page before")]
ChangeCursor = Annotated[int, Parameter(ge=0, description="`next` of the page before")]
Limit = Annotated[int, Parameter(ge=1, le=1000, description="items of one page")]
Moment = Annotated[str | None, Parameter(description="RFC 3339, a date, or epoch seconds")]
Tags = Annotated[list[str] | None, Parameter(description="NAME=VALUE, may be repeated")]
Forecast = Annotated[str, Parameter(description="day, week, month, quarter or year: also say its cost at its end")]
Dimensions = Annotated[list[str] | None, Parameter(description="org, team, user, key, model, day, tag:NAME …; repeats")]


# -- who there is -----------------------------------------------------------------------------------------------------


@get("/orgs", sync_to_thread=True)
def orgs(operations: Operations, cursor: Cursor = "", limit: Limit = DEFAULT_PAGE) -> Page[shapes.Org]:
    """Orgs, by id."""
    return operations.list_orgs(cursor, limit)


@get("/cost-centers", sync_to_thread=True)
def cost_centers(operations: Operations, cursor: Cursor = "", limit: Limit = DEFAULT_PAGE) -> Page[shapes.CostCenter]:
    """Cost centres, by id."""
    return operations.list_cost_centers(cursor, limit)


@get("/teams", sync_to_thread=True)
def teams(operations: Operations, cursor: Cursor = "", limit: Limit = DEFAULT_PAGE) -> Page[shapes.Team]:
    """Teams, by id."""
    return operations.list_teams(cursor, limit)


@get("/users", sync_to_thread=True)
def users(operations: Operations, cursor: Cursor = "", limit: Limit = DEFAULT_PAGE) -> Page[shapes.User]:
    """Users, by id."""
    return operations.list_users(cursor, limit)


# -- keys -------------------------------------------------------------------------------------------------------------


@get("/keys", sync_to_thread=True)
def keys(operations: Operations, cursor: Cursor = "", limit: Limit = DEFAULT_PAGE) -> Page[shapes.Key]:
    """Virtual keys, by id."""
    return operations.list_keys(cursor, limit)


@post("/keys", sync_to_thread=True)
def create_key(operations: Operations, request: AnyRequest, data: shapes.NewKey) -> shapes.IssuedKey:
    """A new key. Its secret is in this answer and nowhere else."""
    return operations.create_key(data, actor_of(request))


@get("/keys/{key_id:str}", sync_to_thread=True)
def show_key(operations: Operations, key_id: str) -> shapes.Key:
    """One key."""
    return operations.show_key(key_id)


@post("/keys/{key_id:str}/rotate", status_code=200, sync_to_thread=True)
def rotate_key(
    operations: Operations, request: AnyRequest, key_id: str, data: shapes.Rotation | None = None
) -> shapes.IssuedKey:
    """A new secret for a key; the ones before it end after `overlap_s` seconds."""
    return operations.rotate_key(key_id, data.overlap_s if data is not None else 0, actor_of(request))


@post("/keys/{key_id:str}/revoke", status_code=200, sync_to_thread=True)
def revoke_key(operations: Operations, request: AnyRequest, key_id: str) -> shapes.Key:
    """Ends a key for good. Published when this answers."""
    return operations.revoke_key(key_id, actor_of(request))


# -- calls and spend --------------------------------------------------------------------------------------------------


def query_of(
    since: Moment = None,
    until: Moment = None,
    org: str | None = None,
    team: str | None = None,
    user: str | None = None,
    key: str | None = None,
    cost_center: str | None = None,
    model: str | None = None,
    endpoint: str | None = None,
    outcome: str | None = None,
    session: str | None = None,
    agent: str | None = None,
    tag: Tags = None,
) -> Query:
    """The filters that calls and spend share."""
    return Query(
        since=since,
        until=until,
        org=org,
        team=team,
        user=user,
        key=key,
        cost_center=cost_center,
        model=model,
        endpoint=endpoint,
        outcome=outcome,
        session=session,
        agent=agent,
        tag=tag or (),
    )


@get("/calls", sync_to_thread=True)
def calls(
    operations: Operations, asked: Query, cursor: Cursor | None = None, limit: Limit = DEFAULT_PAGE
) -> Page[shapes.Call]:
    """Finished calls, newest first."""
    return operations.list_calls(asked, limit, cursor)


@get("/calls/{call_id:str}", sync_to_thread=True)
def show_call(operations: Operations, call_id: str) -> shapes.Call:
    """One finished call."""
    return operations.show_call(call_id)


@get("/spend", sync_to_thread=True)
def spend(operations: Operations, asked: Query, by: Dimensions = None, forecast: Forecast = "") -> shapes.Spend:
    """Sums of finished calls by any dimensions, dearest first."""
    return operations.spend(by or [], asked, forecast)


@get("/spend/focus", media_type=CSV, sync_to_thread=True)
def focus(operations: Operations, asked: Query) -> Stream:
    """Spend as CSV in the columns of FOCUS 1.2 (FinOps Open Cost and Usage Specification)."""
    return Stream(operations.focus(asked), media_type=CSV)


@post("/budgets/dry-run", status_code=200, sync_to_thread=True, request_max_body_size=MAX_FILE_BYTES)
def dry_run(operations: Operations, body: bytes, since: Moment = None, until: Moment = None) -> dict[str, Any]:
    """What the budgets in the body (YAML: `budgets:` as directory.yaml has it) would have done to recorded calls."""
    return operations.dry_run(body, since, until)


# -- configuration and directory --------------------------------------------------------------------------------------


@get("/endpoints", sync_to_thread=True)
def endpoints(operations: Operations) -> Page[shapes.Endpoint]:
    """Upstreams, in order of preference, without their secrets."""
    return operations.list_endpoints()


@post("/apply", status_code=200, sync_to_thread=True, request_max_body_size=MAX_FILE_BYTES)
def apply(operations: Operations, request: AnyRequest, body: bytes, dry_run: bool = False) -> shapes.Applied:
    """Makes the declared rows what the body, a directory.yaml (or the same as JSON), says."""
    return operations.apply(body, actor_of(request), dry_run=dry_run)


@post("/reload", status_code=200, sync_to_thread=True)
def reload(operations: Operations, request: AnyRequest) -> shapes.Reloaded:
    """Reads the configuration and directory files again. On any error nothing changes, and all errors are told."""
    return operations.reload(actor_of(request))


@get("/audit", sync_to_thread=True)
def audit(operations: Operations, cursor: ChangeCursor = 0, limit: Limit = DEFAULT_PAGE) -> Page[shapes.Change]:
    """The change log, oldest first: who changed what, before and after."""
    return operations.list_changes(cursor, limit)


@get("/audit/sightings", sync_to_thread=True)
def sightings(
    operations: Operations, sha256: str = "", path: str = "", cursor: Cursor | None = None, limit: Limit = DEFAULT_PAGE
) -> Page[shapes.Sighting]:
    """Calls in which a file's text was new, newest first: by the SHA-256 of the file, or by its path."""
    return operations.find_sightings(sha256, path, limit, cursor)


# -- the instance -----------------------------------------------------------------------------------------------------


@get("/status", sync_to_thread=True)
def status(operations: Operations) -> shapes.Status:
    """The running instance: processes, limits, snapshot."""
    return operations.status()


@get("/drain", sync_to_thread=True)
def drain_state(operations: Operations) -> shapes.DrainState:
    """Whether new calls are refused, and how many are still in flight."""
    return operations.drain_state()


@post("/drain", status_code=200, sync_to_thread=True)
def drain(operations: Operations, request: AnyRequest) -> shapes.DrainState:
    """Refuses new calls and reports unready, until DELETE. Calls in flight finish; nothing is stopped."""
    return operations.set_draining(True, actor_of(request))


@delete("/drain", status_code=200, sync_to_thread=True)
def resume(operations: Operations, request: AnyRequest) -> shapes.DrainState:
    """Takes calls again."""
    return operations.set_draining(False, actor_of(request))


HANDLERS = [
    orgs,
    cost_centers,
    teams,
    users,
    keys,
    create_key,
    show_key,
    rotate_key,
    revoke_key,
    calls,
    show_call,
    spend,
    focus,
    dry_run,
    endpoints,
    apply,
    reload,
    audit,
    sightings,
    status,
    drain_state,
    drain,
    resume,
]
