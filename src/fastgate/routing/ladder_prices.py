"""What the ladder asks of the router: how long a prompt is expected to be, and what a turn costs with a model.

Both are the plan's own figures (router.py): what a call is priced at here is what it is priced at when it is sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastgate.routing.router import party_of

if TYPE_CHECKING:
    from fastgate.call import Call
    from fastgate.routing.router import Router


def prompt_tokens(router: Router, call: Call, model: str) -> tuple[int, int]:
    """Tokens of the whole prompt, and of it what is warm nowhere for `model`."""
    request, who = call.request, call.principal
    assert request is not None
    assert who is not None
    party = party_of(call.head.agent, call.head.request_class)
    known = router.warmth.find(who.key, call.session, party) if call.session else None
    prompt = router.turn(call, request, known).prompt
    if known is None:
        return prompt, prompt
    system_bytes = request.system_end - request.system_start
    places = router.places(model)
    warm = max((known.warm(place.number, model, system_bytes, call.at_ns) for place in places), default=0)
    return prompt, max(0, prompt - warm)


def expected_nano(router: Router, call: Call, model: str) -> int:
    """The expected price of this turn with `model`, where the plan would send it. Nano-dollars."""
    request, places = call.request, router.places(model)
    assert request is not None
    order = router.decide(call, request, places)
    price_nano: int = call.decision[-1][order[0]][4]
    call.home, call.reason, call.decision = "", "", None  # the plan of the call that is sent notes its own
    return price_nano
