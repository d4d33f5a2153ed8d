"""Answers the gateway gives by itself: the key's own view, its models, one recorded call. Needs a key, is free."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import msgspec

from fastgate._core.head import read_head
from fastgate.clock import wall_ns
from fastgate.errors import GatewayError, authentication, envelope, invalid_request, not_found
from fastgate.gateway.me import me
from fastgate.gateway.rooms.identity import find, tagged
from fastgate.gateway.rooms.policy import allowed
from fastgate.journal import call_id
from fastgate.journal.lookup import lookup_call
from fastgate.prices.book import endpoint_kind

if TYPE_CHECKING:
    from fastgate.call import Downstream
    from fastgate.gateway.worker import Worker
    from fastgate.snapshot import KeyRow, Snapshot

PAGE_MAX = 1000
"""Models of one page at most (Anthropic's API reference, list models); there it is 20 where no limit is given. Here all
come then: a gateway has tens."""

encode = msgspec.json.Encoder().encode

MODELS = "/v1/models"
PROFILES = "/inference-profiles"
ME = "/v1/fastgate/me"
CALLS = "/v1/fastgate/calls/"


async def answer(worker: Worker, scope: Any, proto: Downstream, path: str) -> bool:
    """Answer a GET that needs a key; False when the path is not one of these."""
    if not (path in (ME, MODELS, PROFILES) or path.startswith((MODELS + "/", CALLS))):
        return False
    try:
        who, session = identify(worker, scope.headers.items())
        body = encode(
            await me(worker, who, session) if path == ME else await view(worker, who, path, scope.query_string)
        )
    except GatewayError as error:
        refuse(worker, proto, error)
    else:
        proto.response_bytes(200, [("content-type", "application/json")], body)
    return True


def refuse(worker: Worker, proto: Downstream, error: GatewayError) -> None:
    """The error of a request that is no call: no record is of its id, but body and header name the same one."""
    request_id = call_id(worker.epoch, worker.next_number())
    headers = [("content-type", "application/json"), ("request-id", request_id), *error.headers]
    proto.response_bytes(error.status, headers, envelope(error, request_id))


def identify(worker: Worker, items: list[tuple[str, str]]) -> tuple[KeyRow, str]:
    """Whose key asks, with the tags that it sets, and which Claude Code session, where the asker says so."""
    try:
        head = read_head(items)
    except ValueError as exc:
        raise invalid_request(str(exc)) from None
    now_ns = wall_ns()
    for secret in (head.bearer, head.api_key):
        row = find(worker.snapshot, worker.digester, secret, now_ns) if secret else None
        if row is not None:
            return row if head.own is None else tagged(worker.snapshot, row, head.own), head.session
    raise authentication()


async def view(worker: Worker, who: KeyRow, path: str, query: str) -> dict[str, Any]:
    if path == MODELS:
        return page(models(worker, who), query)
    if path == PROFILES:
        return profiles(worker, who)
    if path.startswith(CALLS):
        return await recorded(worker, who, path.removeprefix(CALLS))
    wanted = path.removeprefix(MODELS + "/")
    for row in models(worker, who):
        if row["id"] == wanted:
            return dict(row)
    raise not_found(path)


def models(worker: Worker, who: KeyRow) -> list[dict[str, str]]:
    """The priced models that this key may use, in Anthropic's shape. Release dates are not known here: where one is
    unknown, Anthropic's API itself gives the epoch."""
    names = served(worker.snapshot)
    return [
        {"type": "model", "id": name, "display_name": display_name(name), "created_at": "1970-01-01T00:00:00Z"}
        for name in sorted(names, reverse=True)
        if allowed(name, who.models)
    ]


def page(rows: list[dict[str, str]], query: str) -> dict[str, Any]:
    """The part of `rows` that `limit`, `after_id` and `before_id` ask for; all of them where nothing is asked."""
    asked = dict(parse_qsl(query))
    limit = asked.get("limit", str(PAGE_MAX))
    if not (limit.isascii() and limit.isdigit() and len(limit) <= 4 and 1 <= int(limit) <= PAGE_MAX):
        raise invalid_request(f"limit: must be a whole number from 1 to {PAGE_MAX}")
    if "after_id" in asked and "before_id" in asked:
        raise invalid_request("after_id, before_id: give one of them")
    ids = [row["id"] for row in rows]
    begin, end = 0, len(rows)
    if "after_id" in asked:
        begin = place_of(ids, "after_id", asked["after_id"]) + 1
    if "before_id" in asked:
        end = place_of(ids, "before_id", asked["before_id"])
    more = end - begin > int(limit)
    if "before_id" in asked:
        rows = rows[max(begin, end - int(limit)) : end]
    else:
        rows = rows[begin : min(end, begin + int(limit))]
    return {
        "data": rows,
        "has_more": more,
        "first_id": rows[0]["id"] if rows else None,
        "last_id": rows[-1]["id"] if rows else None,
    }


def place_of(ids: list[str], name: str, wanted: str) -> int:
    try:
        return ids.index(wanted)
    except ValueError:
        raise invalid_request(f"{name}: no model of this listing") from None


def served(snapshot: Snapshot) -> set[str]:
    """The models that some endpoint serves: those listed for its kind, and those that its own table names."""
    names: set[str] = set()
    for endpoint in snapshot.endpoints:
        names.update(endpoint.models)
        if not endpoint.models_only:
            listed = snapshot.data.prices.prices
            names.update(p.names[0] for p in listed if p.names and endpoint_kind(p.kind) == endpoint.kind)
    return names


def profiles(worker: Worker, who: KeyRow) -> dict[str, Any]:
    """The same models as a client that speaks Bedrock lists them."""
    return {
        "inferenceProfileSummaries": [
            {
                "inferenceProfileId": f"us.anthropic.{row['id']}",
                "inferenceProfileName": row["display_name"],
                "status": "ACTIVE",
                "type": "SYSTEM_DEFINED",
                "models": [],
            }
            for row in models(worker, who)
        ]
    }


def display_name(model: str) -> str:
    """`claude-opus-5-5` as people write it: Claude Opus 5.5."""
    words = [word.capitalize() for word in model.split("-")]
    return re.sub(r"(?<=\d) (?=\d)", ".", " ".join(words))


async def recorded(worker: Worker, who: KeyRow, wanted: str) -> dict[str, Any]:
    """The caller's own record; another key's call is not found."""
    found = await asyncio.get_running_loop().run_in_executor(None, lookup_call, worker.state.usage_db, wanted)
    if found is None or found["key"] != who.key:
        raise not_found(CALLS + wanted)
    return found
