"""What is kept ready of a model is kept for ids that can be one: a client must not fill memory with long ones."""

from __future__ import annotations

import sys
from typing import Any, cast

import pytest

from fastgate._core.request import read_request
from fastgate.call import Call
from fastgate.gateway.rooms.policy import allowed
from fastgate.gateway.rooms.route import MODELS_KEPT, plan
from fastgate.prices.book import MAX_MODEL_CHARS
from fastgate.providers.wire import Wire
from fastgate.snapshot import HeaderNames, Snapshot, SnapshotData
from tests.support.ladder import PRICES
from tests.support.plane import LIMITS, endpoint

ENDPOINT = endpoint("http://127.0.0.1:9", "a")


def planned(snapshot: Snapshot, model: str) -> str:
    """The id of a call that was planned."""
    call = Call(1, "test", snapshot, "messages", cast(Any, None), None)
    call.body = b'{"model":"%b","max_tokens":5,"messages":[]}' % model.encode()
    call.request = read_request(call.body)
    assert plan(call)[0][0] is ENDPOINT
    return call.request.model


@pytest.mark.parametrize(("chars", "kept"), [(MAX_MODEL_CHARS, True), (MAX_MODEL_CHARS + 1, False)])
def test_a_long_id_is_answered_and_not_kept(chars: int, kept: bool) -> None:
    snapshot = Snapshot(SnapshotData(1, "v", HeaderNames(), LIMITS, (ENDPOINT,), [], PRICES))
    model = planned(snapshot, "m" * chars)
    assert (model in snapshot.served) is kept
    held = sys.getrefcount(model)
    assert allowed(model, ("m*",)) and not allowed(model, ("claude-*",))
    assert Wire(ENDPOINT).model_id(model) == model
    wire = Wire(ENDPOINT)
    wire.model_id(model)
    assert (sys.getrefcount(model) > held) is kept


def test_only_so_many_are_kept() -> None:
    snapshot = Snapshot(SnapshotData(1, "v", HeaderNames(), LIMITS, (ENDPOINT,), [], PRICES))
    for number in range(2 * MODELS_KEPT + 3):
        planned(snapshot, f"m{number}")
    assert len(snapshot.served) == 3
