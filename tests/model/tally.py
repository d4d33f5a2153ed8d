"""Slow twin of fastgate._core.tally: what counting and charging need of a call's record, from the record as a whole."""

from typing import Any, NamedTuple

import msgspec

from fastgate.journal.format import call_number
from fastgate.record import CallRecord, Sighting

_decode = msgspec.msgpack.Decoder(CallRecord).decode


class Model(NamedTuple):
    """A call; what makes its kind, its thread and its cells as values."""

    worker: str
    number: int
    figures: tuple[int, ...]
    kind: list[Any]
    thread: list[str]
    cells: tuple[int, ...]
    shown: tuple[Sighting, ...]
    judged: bool


def tally(body: bytes) -> Model:
    """ValueError or MsgspecError where there is none."""
    call = _decode(body)
    worker, number = call_number(call.id)
    used = call.usage
    return Model(
        worker,
        number,
        (
            call.at_ns,
            call.cost_nano,
            call.cost_asked_nano,
            call.saved_nano,
            call.saved_downgrade_nano,
            call.saved_arbitration_nano,
            used.input_tokens,
            used.output_tokens,
            used.cache_write_5m_tokens,
            used.cache_write_1h_tokens,
            used.cache_read_tokens,
        ),
        [
            *(call.org, call.team, call.user, call.key, call.cost_center, call.tags),
            *(call.model_asked, call.model_used, call.endpoint, call.provider),
            *(call.outcome, call.cache, call.namespace),
        ],
        [call.session, call.agent],
        call.cells,
        call.sightings,
        bool(call.prefix) or call.placed is not None,
    )


def alike(calls: list[Model], by_thread: bool) -> list[list[int]]:
    """Numbers of the calls that cost something, those together that budgets cannot tell apart."""
    groups: dict[str, list[int]] = {}
    for call in calls:
        if call.figures[1]:
            what = (call.worker, call.kind, call.cells, call.thread if by_thread else None)
            groups.setdefault(repr(what), []).append(call.number)
    return list(groups.values())


def charge_once(calls: list[tuple[int, int]], charged: set[int]) -> int:
    """What those come to that are not charged yet."""
    total = 0
    for number, cost_nano in calls:
        if cost_nano and number not in charged:
            charged.add(number)
            total += cost_nano
    return total
