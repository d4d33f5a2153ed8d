"""What an attempt that failed may have cost is charged once, whatever comes of those behind it."""

from __future__ import annotations

from pathlib import Path

from fastgate._core.meter import Meter
from fastgate.call import Call
from fastgate.gateway.rooms import ledger
from fastgate.gateway.rooms.relay import bury
from fastgate.prices.book import PriceBook
from tests.support.ladder import OPUS, PRICES, Stand


def timed_out(stand: Stand) -> Call:
    """A call whose one attempt was waited for in vain: its provider was at work."""
    call = stand.call("x" * 4000)
    call.endpoint, call.price = stand.snapshot.endpoints[0], PriceBook(PRICES).row("anthropic", OPUS)
    call.sent, call.meter = True, Meter.of(stream=True)
    call.attempts = [("a", OPUS, 0, "first_byte_timeout", 10, 0)]
    return call


def test_the_only_attempt_is_charged_where_no_other_could_begin(tmp_path: Path) -> None:
    call = timed_out(Stand(tmp_path))
    bury(call)
    cost_nano = call.attempts[0][5]
    assert cost_nano > 0
    bury(call)  # the next candidate was passed over, the one behind it too
    ledger.settle(call)
    assert call.cost_nano == call.attempted_nano == call.attempts[0][5] == cost_nano


def test_an_attempt_that_was_never_sent_adds_nothing(tmp_path: Path) -> None:
    call = timed_out(Stand(tmp_path))
    bury(call)
    cost_nano = call.attempted_nano
    call.attempts.append(("b", OPUS, 0, "connect", 5, 0))
    bury(call)
    ledger.settle(call)
    assert (call.cost_nano, [attempt[5] for attempt in call.attempts]) == (cost_nano, [cost_nano, 0])
