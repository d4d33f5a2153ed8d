"""Marks for the provider's prompt cache that a client left out: where they pay by the session's rhythm, and only then.

Off unless `cache.prompt` asks for it. A conversation without any `cache_control` gets two, behind its system prompt and
its newest block; one whose turns come too slowly for five minutes gets an hour on the marks it has. Every other byte
stays as it was. What it is expected to save is noted on the call: this turn and one more, by the ledger's own prices.
"""

from __future__ import annotations

import re
from json import JSONDecodeError, JSONDecoder
from typing import TYPE_CHECKING, Any

from fastgate._core.prefix import BLOCKS_MAX, read_prefix
from fastgate._core.request import read_request
from fastgate._core.warmth import FIVE_MINUTES_NS, HOUR_NS
from fastgate.routing.price import Turn, later_nano, turn_nano, whole_nano
from fastgate.routing.router import label_of, party_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastgate._core.money import PriceRow
    from fastgate._core.request import RequestView
    from fastgate.call import Call, Candidate
    from fastgate.routing.router import Router
    from fastgate.snapshot_cache import PromptPolicy

KIND = "anthropic"
"""Other kinds of endpoints take marks under conditions of their own; calls that may go there are left alone."""

TURNS = 2
"""A mark must pay with this turn and the next: after that a session may end."""

FRESH_PART = 10
"""Of a prompt, what a turn is taken to add where that is not known yet: a tenth. Claude Code adds a hundredth."""

MARK = b'"cache_control":{"type":"ephemeral"}'
SHORT = re.compile(rb'"cache_control"\s*:\s*\{\s*"type"\s*:\s*"ephemeral"\s*\}')
HOUR = b'"cache_control":{"type":"ephemeral","ttl":"1h"}'
NAMED = b'"cache_control"'

MARKABLE = (0, 2, 3, 4)
"""Kinds of blocks that may carry a mark (_core/prefix.pyi): text, tool_result, image, document."""

_SYSTEM, _MARKED, _LONG = 1, 0x20, 0x40

_decode = JSONDecoder().raw_decode


def place(call: Call, plan: Sequence[Candidate], router: Router, policy: PromptPolicy) -> bool:
    """Mark the call's body where that pays; whether it is another now, and has to be planned anew."""
    request, who = call.request, call.principal
    if call.placed is not None or call.route != "messages" or not call.session or request is None or who is None:
        return False
    if not plan or any(endpoint.kind != KIND for endpoint, *_ in plan):
        return False
    if call.preferred or call.snapshot.data.throttled:  # another model may serve it, at an endpoint of another kind
        return False
    known = router.warmth.find(who.key, call.session, party_of(call.head.agent, call.head.request_class))
    if known is None or not known.learned or not known.pace_ms:
        return False
    quick = known.pace_ms * 1_000_000 < FIVE_MINUTES_NS
    if not (policy.breakpoints if quick else policy.hour and known.pace_ms * 1_000_000 < HOUR_NS):
        return False
    body = with_breakpoints(call.body, request) if quick else with_hour(call.body, request)
    if body is None:
        return False
    endpoint, row, _, model = plan[0]
    changed = read_request(body)
    number = router.numbers[label_of(endpoint)]
    warm = known.warm(number, model, changed.system_end - changed.system_start, call.at_ns)
    saved_nano = (saved_by_marks if quick else saved_by_hour)(router.turn(call, request, known), row, warm)
    if saved_nano <= 0:
        return False
    changed.known_bytes, changed.known_tokens = request.known_bytes, request.known_tokens
    call.body, call.request = body, changed
    call.placed = ("breakpoints" if quick else "hour", saved_nano)
    return True


# -- what it saves ----------------------------------------------------------------------------------------------------


def saved_by_marks(turn: Turn, row: PriceRow, warm: int) -> int:
    """What marks save over none, in nano-dollars."""
    plain, marked = of(turn, caches=False), of(turn, caches=True)
    marked.fresh = turn.prompt - warm if 0 < warm < turn.prompt else turn.prompt // FRESH_PART
    with_none = whole_nano(turn_nano(plain, row, 0), later_nano(plain, row), TURNS)
    return with_none - whole_nano(turn_nano(marked, row, warm), later_nano(marked, row), TURNS)


def saved_by_hour(turn: Turn, row: PriceRow, warm: int) -> int:
    """What an hour saves over five minutes that will be over before the next turn."""
    short, long = of(turn, caches=True), of(turn, caches=True, hour=True)
    long.fresh = turn.prompt - warm if 0 < warm < turn.prompt else turn.prompt // FRESH_PART
    lost = turn_nano(short, row, warm) + (TURNS - 1) * turn_nano(short, row, 0)
    return lost - whole_nano(turn_nano(long, row, warm), later_nano(long, row), TURNS)


def of(turn: Turn, *, caches: bool, hour: bool = False) -> Turn:
    return Turn(turn.prompt, turn.output, caches=caches, hour=hour, fast=turn.fast, us_geo=turn.us_geo)


# -- the bytes --------------------------------------------------------------------------------------------------------


def with_breakpoints(body: bytes, request: RequestView) -> bytes | None:
    """The body with a mark behind the system prompt and one behind the newest block; None where it has any already,
    is too small to be cached, or ends in a block that takes none."""
    if NAMED in body:
        return None
    starts, flags = layout(body, request)
    if not flags or len(flags) >= BLOCKS_MAX or flags[-1] & 3 <= _SYSTEM or any(flag & _MARKED for flag in flags):
        return None
    newest = marked(body, starts[-1]) if flags[-1] >> 2 & 7 in MARKABLE else None
    if newest is None:
        return None
    edits = [newest]
    system = [at for at, flag in enumerate(flags) if flag & 3 == _SYSTEM]
    if system and flags[system[-1]] >> 2 & 7 == 0:
        behind = marked(body, starts[system[-1]])
        if behind is not None:
            edits.append(behind)
    for start, end, instead in sorted(edits, reverse=True):
        body = body[:start] + instead + body[end:]
    return body


def with_hour(body: bytes, request: RequestView) -> bytes | None:
    """The body with an hour on each of its marks; None where it has none, or one says for how long, or some of what
    looks like a mark is none."""
    _, flags = layout(body, request)
    marks = sum(1 for flag in flags if flag & _MARKED)
    if not marks or any(flag & _LONG for flag in flags) or body.count(NAMED) != marks:
        return None
    longer, changed = SHORT.subn(HOUR, body)
    return longer if changed == marks else None


def layout(body: bytes, request: RequestView) -> tuple[Any, bytes]:
    """Where the blocks of the prompt begin, and their flags."""
    prefix = read_prefix(request, body)
    n = len(prefix) // 9
    return memoryview(prefix)[4 * n : 8 * n].cast("I"), prefix[8 * n :]


def marked(body: bytes, start: int) -> tuple[int, int, bytes] | None:
    """The edit that marks the block which begins there; None for one that is empty or cannot be read."""
    try:
        value, length = _decode(body[start:].decode())
    except (UnicodeDecodeError, JSONDecodeError, RecursionError):
        return None
    raw = body[start:].decode()[:length].encode()
    if isinstance(value, str):
        return (start, start + len(raw), b'[{"type":"text","text":%b,%b}]' % (raw, MARK)) if value.strip() else None
    if not isinstance(value, dict) or not value or (value.get("type") == "text" and not str(value.get("text")).strip()):
        return None
    return start, start + len(raw), b"%b,%b}" % (raw[:-1].rstrip(), MARK)
