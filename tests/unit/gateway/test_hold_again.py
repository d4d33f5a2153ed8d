"""A call that was put back to its model has one hold: the one that it kept, or the one that it can have again."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from fastgate._core.escrow import Escrow
from fastgate.gateway.rooms import hold


@pytest.mark.parametrize(("kept", "nano", "asked"), [(True, 5, 0), (False, 5, 1), (False, 0, 0)])
def test_a_hold_that_was_kept_is_not_taken_twice(
    monkeypatch: pytest.MonkeyPatch, kept: bool, nano: int, asked: int
) -> None:
    escrow = Escrow()
    slot = escrow.open()
    escrow.grant(slot, 100)
    cells = escrow.cells([slot])
    first = escrow.hold(cells, 5) if kept else None
    draw: Any = SimpleNamespace(accounts=(object(),), cells=cells, numbers=(1,))
    call: Any = SimpleNamespace(n=1, hold=first, waiting=None, watched=None, draw=None, cells=())
    taken: list[int] = []

    def queue(_n: int, _draw: Any, need_nano: int, *_: Any) -> Any:
        taken.append(need_nano)
        return SimpleNamespace(future=None)

    async def served(_waiter: Any) -> Any:
        return escrow.hold(cells, taken[-1])

    monkeypatch.setattr(hold, "find", lambda *_: draw)
    monkeypatch.setattr(hold, "keep", lambda call, _draw, held: setattr(call, "hold", held))
    lending: Any = SimpleNamespace(allowances=SimpleNamespace(selection=object()), queue=queue, served=served)
    asyncio.run(hold.hold_again(call, nano, lending))
    assert len(taken) == asked
    assert (call.hold is first) if kept or not nano else (call.hold.nano == nano)
    assert escrow.free(slot) == 100 - (5 if kept or nano else 0), "held once"
