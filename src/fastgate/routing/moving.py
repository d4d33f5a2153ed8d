"""Moving a call to another model: whether that model can go on with it, and the bytes it gets then.

Just what has to change is another: the model, and of an older family's request what that family cannot take; what is
left out is named. Must not know why a call is moved, nor prices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from fastgate._core.request import read_request
from fastgate._core.splice import members, splice
from fastgate.providers.families import family_limits
from fastgate.routing.chains import standing

if TYPE_CHECKING:
    from fastgate._core.request import RequestView
    from fastgate.providers.families import Family


class Moved(NamedTuple):
    body: bytes
    request: RequestView
    left_out: tuple[str, ...]


def obstacle(body: bytes, tokens: int, model: str) -> str:
    """Why `model` cannot go on with the conversation: open-thinking, shape or context; empty where it can. `tokens`: of
    the prompt."""
    where = standing(body)
    if where is None:
        return "shape"
    if where.thinking:
        return "open-thinking"
    family = family_limits(model)
    if family is None:
        return ""
    if where.system:
        return "shape"
    return "context" if tokens > family.context_tokens else ""


def moved(body: bytes, request: RequestView, model: str) -> Moved:
    """The request for `model`."""
    name = msgspec.json.encode(model)
    body = body[: request.model_start] + name + body[request.model_end :]
    family = family_limits(model)
    left_out: tuple[str, ...] = ()
    if family is not None:
        body, left_out = lessened(body, family)
    return Moved(body, read_request(body), left_out)


def lessened(body: bytes, family: Family) -> tuple[bytes, tuple[str, ...]]:
    """The body without what the family cannot take, and the names of that."""
    view = read_request(body)
    left_out: list[str] = []
    if view.max_tokens > family.output_tokens:
        number = b"%d" % family.output_tokens
        body = body[: view.max_tokens_start] + number + body[view.max_tokens_end :]
        left_out.append("max_tokens")
    found = members(body, (b"thinking", b"output_config", b"context_management", b"safeguards"))
    drop: list[bytes] = []
    put = b""
    thinking = _type(found.get(b"thinking", b"{}"))
    if (thinking == "adaptive" and not family.adaptive) or view.thinking_budget >= family.output_tokens:
        drop.append(b"thinking")
        if b"context_management" in found:  # it clears thinking, which needs thinking to be on
            drop.append(b"context_management")
    if b"safeguards" in found:
        drop.append(b"safeguards")
    left_out += [name.decode() for name in drop]
    if b"output_config" in found and not family.effort:
        config = msgspec.json.decode(found[b"output_config"])
        if isinstance(config, dict) and "effort" in config:
            del config["effort"]
            drop.append(b"output_config")
            put = b'"output_config":' + msgspec.json.encode(config) if config else b""
            left_out.append("effort")
    return (splice(body, tuple(drop), put) if drop else body), tuple(left_out)


class _Typed(msgspec.Struct):
    type: str = ""


def _type(raw: bytes) -> str:
    try:
        return msgspec.json.decode(raw, type=_Typed).type
    except msgspec.ValidationError:
        return ""
