"""A loop that stands still is told of once, with the stack it stands in; a machine that stands still is not."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import pytest

from fastgate.gateway.watchdog import BLOCKED_S, LOOK_S, Watchdog


@pytest.fixture
def watchdog() -> Iterator[Watchdog]:
    watched = Watchdog()
    yield watched
    watched.close()


def stand_still(watchdog: Watchdog, times: int) -> None:
    """Until it is told of: a busy machine keeps the watchdog itself waiting."""
    end = time.monotonic() + 20
    while watchdog.blocked < times:
        assert time.monotonic() < end
        time.sleep(LOOK_S)


@pytest.mark.promise("P-30", bound="a loop that stands still for 250 ms is in the log, with its stack")
def test_a_loop_that_stands_still_is_told_of_with_its_stack(
    watchdog: Watchdog, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    stand_still(watchdog, 1)
    assert "the event loop has stood still for" in caplog.text
    assert "in stand_still" in caplog.text


def test_it_is_told_once_for_each_time(watchdog: Watchdog) -> None:
    stand_still(watchdog, 1)
    time.sleep(BLOCKED_S)
    assert watchdog.blocked == 1
    watchdog.beat()
    stand_still(watchdog, 2)


def test_a_loop_that_beats_is_not_told_of(watchdog: Watchdog) -> None:
    end = time.monotonic() + 3 * BLOCKED_S
    while time.monotonic() < end:
        watchdog.beat()
        time.sleep(LOOK_S / 5)
    assert watchdog.blocked == 0
