"""`POST /v1/fastgate/increases`: a developer asks for more of a budget that binds his own key. Free, and never a grant.

The question is on the disk before it is acknowledged; the control plane takes it from there, and somebody decides. Of a
budget that has a cell for each member or value, only the asker's own is asked for.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
from granian._granian import RSGIProtocolClosed, RSGIProtocolError

from fastgate.amounts import USD_PLACES, usd_problem
from fastgate.asking import Asked, Questions, TooManyError, reason_problem, until_problem
from fastgate.clock import wall_ns
from fastgate.errors import (
    GatewayError,
    body_timeout,
    client_gone,
    invalid_request,
    no_such_budget,
    overloaded,
    rate_limited,
    too_large,
)
from fastgate.gateway.local import identify, refuse
from fastgate.gateway.me import binding, question
from fastgate.times import parse_moment

if TYPE_CHECKING:
    from fastgate.call import Downstream
    from fastgate.gateway.worker import Worker
    from fastgate.snapshot import KeyRow

log = logging.getLogger("fastgate.increases")

PATH = "/v1/fastgate/increases"

BODY_BYTES = 4096
"""A budget's id, an amount, a moment and 300 characters of reason, however they are escaped."""
BODY_S = 10.0
"""For all of it: it is one packet."""
RETRY_S = 60
"""`retry-after` where a key has asked too often: the longest that a client waits out; the hour is in the message."""


class NewIncrease(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked: `usd` more of `budget` until `until` (RFC 3339 or epoch seconds), and why."""

    budget: str
    usd: Decimal
    until: str
    reason: str


_decode = msgspec.json.Decoder(NewIncrease).decode
_encode = msgspec.json.Encoder().encode


async def answer(worker: Worker, scope: Any, proto: Downstream) -> None:
    try:
        who, session = identify(worker, scope.headers.items())
        asked = judged(await receive(scope, proto), worker, who, session)
        await keep(worker, asked)
    except GatewayError as error:
        refuse(worker, proto, error)
    else:
        proto.response_bytes(202, [("content-type", "application/json")], _encode(question(asked, asked.asked_ns)))


async def receive(scope: Any, proto: Downstream) -> bytes:
    """The body, which must say how long it is."""
    length = scope.headers.get("content-length") or ""
    if not (length.isascii() and length.isdigit()):
        raise invalid_request("content-length is needed.")
    if len(length) > len(str(BODY_BYTES)) or int(length) > BODY_BYTES:
        raise too_large(BODY_BYTES)
    try:
        async with asyncio.timeout(BODY_S):
            body: bytes = await proto()
            return body
    except TimeoutError:
        raise body_timeout() from None
    except (RSGIProtocolClosed, RSGIProtocolError):
        raise client_gone() from None


def judged(body: bytes, worker: Worker, who: KeyRow, session: str) -> Asked:
    """The question, where it may be asked. Raises GatewayError that names the field."""
    try:
        new = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise invalid_request(f"The question cannot be read: {error}.") from None
    now_ns = wall_ns()
    if wrong := usd_problem(new.usd):
        raise invalid_request(f"usd: {wrong}.")
    try:
        until_ns = parse_moment(new.until)
    except (ValueError, OverflowError) as error:
        raise invalid_request(f"until: {error}.") from None
    if wrong := until_problem(until_ns, now_ns):
        raise invalid_request(f"until: {wrong}.")
    if wrong := reason_problem(new.reason):
        raise invalid_request(f"reason: {wrong}.")
    match = next((match for match in binding(worker, who, session) if match.row.id == new.budget), None)
    if match is None:
        raise no_such_budget()
    return Asked(
        id=f"inc-{secrets.token_hex(8)}",
        budget=match.row.id,
        created_ns=match.row.created_ns,
        cell=match.cell,
        key=who.key,
        amount_nano=int(new.usd.scaleb(USD_PLACES)),
        not_after_ns=until_ns,
        reason=new.reason,
        asked_ns=now_ns,
    )


async def keep(worker: Worker, asked: Asked) -> None:
    """Onto the disk, off the loop."""
    questions = Questions(worker.state.questions_dir)
    try:
        await asyncio.get_running_loop().run_in_executor(None, questions.put, asked)
    except TooManyError as error:
        raise rate_limited(f"Not asked: {error}.", RETRY_S) from None
    except OSError as error:
        log.error("what a developer asks for cannot be kept: %s", error)
        raise overloaded("The question cannot be kept now; try again.", 5) from None
