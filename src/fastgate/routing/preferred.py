"""A request's `models`: which others it may go to where its own model fails. OpenRouter's word, and its meaning.

Owns what may stand there, and that it goes no further: the gateway tries these models itself, so a provider that knows
the field never sees it, and nothing is bought that was not priced and allowed. When one is tried is the pipeline's.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import msgspec

from fastgate._core.request import read_request
from fastgate._core.splice import members, splice
from fastgate.dialects.front import anthropic_id
from fastgate.dialects.model_id import judge_model
from fastgate.errors import invalid_request, model_not_allowed
from fastgate.routing.savings import listed

if TYPE_CHECKING:
    from fastgate.call import Call

MODELS_MAX = 8
"""Each may be tried at every endpoint while the client waits; OpenRouter takes three."""

_decode = msgspec.json.Decoder(list[str]).decode


def take(call: Call) -> None:
    """Read the field, check every model in it as if it had been asked for, and take it out of the body. GatewayError
    where the key may not name models, or where one is none that this key may use."""
    request, who = call.request, call.principal
    assert request is not None
    assert who is not None
    if not any(fnmatchcase(who.key, glob) for glob in call.snapshot.data.routing.models):
        error = model_not_allowed("", ())
        error.message = (
            f"Key {who.key} may not name models to try: `models` is not allowed for it. Leave the field out."
        )
        raise error
    names = tuple(name for name in dict.fromkeys(named(call)) if name != request.model)
    for name in names:
        check(call, name)
    call.body = splice(call.body, (b"models",))
    call.request = read_request(call.body)
    if call.route == "messages":
        call.preferred = names


def named(call: Call) -> list[str]:
    """What the field lists, by Anthropic's names."""
    try:
        others = _decode(members(call.body, (b"models",))[b"models"])
    except (msgspec.MsgspecError, UnicodeEncodeError):
        raise invalid_request("models must be a list of model ids.") from None
    if len(others) > MODELS_MAX:
        raise invalid_request(f"models names more than {MODELS_MAX} models.")
    return others if call.front is None else [anthropic_id(name) for name in others]


def check(call: Call, name: str) -> None:
    """Raise where that is no model's name, where the key may not use it, or no endpoint serves it at a listed price:
    the worst price that a model asked for by itself may be charged is no choice to fall back on."""
    who, snapshot = call.principal, call.snapshot
    assert who is not None
    judge_model(name, "models: each")
    if who.models and not any(fnmatchcase(name, glob) for glob in who.models):
        raise model_not_allowed(name, who.models)
    if not any(listed(snapshot.prices, endpoint, name) for endpoint in snapshot.endpoints):
        error = model_not_allowed(name, ())
        error.message = f"models: no endpoint of this gateway serves model {name} at a listed price."
        raise error
