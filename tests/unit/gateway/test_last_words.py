"""A call that is told that its worker ends, or whose client has left, asks no other model."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fastgate.errors import GatewayError, draining
from fastgate.gateway import pipeline


async def test_nothing_is_sent_after_the_deadline_of_a_drain(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waited for the money of another model, within the exchange that its own had failed in."""
    sent = 0

    async def held(*_: object) -> list[str]:
        return ["a plan"]

    async def carry(*_: object) -> bool:
        nonlocal sent
        sent += 1
        raise draining()

    monkeypatch.setattr(pipeline, "held", held)
    monkeypatch.setattr(pipeline.relay, "carry", carry)
    monkeypatch.setattr(pipeline.ladder, "descend", lambda *_: True)
    call: Any = SimpleNamespace(
        preferred=(), throttled=True, snapshot=SimpleNamespace(data=SimpleNamespace(throttled=True))
    )
    worker: Any = SimpleNamespace(upstreams=None, flight=None, lending=SimpleNamespace(extend=None))
    with pytest.raises(GatewayError) as told:
        await pipeline.send(call, worker)
    assert (told.value.kind, sent) == (draining().kind, 1)
