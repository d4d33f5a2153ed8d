"""Signals are waited for: none is lost, none interrupts, and the handlers of before come back."""

from __future__ import annotations

import os
import signal
import threading
import time

from fastgate.supervisor.signals import HEARD, Signals


def test_every_signal_that_came_is_told_in_order() -> None:
    with Signals() as signals:
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGTERM)
        found: list[signal.Signals] = []
        while len(found) < 2:
            found += signals.wait(1.0)
        assert found == [signal.SIGHUP, signal.SIGTERM]
        assert signals.wait(0.0) == []


def test_a_wait_ends_at_once_when_a_signal_comes() -> None:
    with Signals() as signals:
        timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        began = time.monotonic()
        assert signals.wait(10.0) == [signal.SIGINT]
        assert time.monotonic() - began < 5.0
        timer.join()


def test_a_wait_ends_when_its_time_is_over_or_the_other_descriptor_speaks() -> None:
    read_fd, write_fd = os.pipe()
    with Signals() as signals:
        began = time.monotonic()
        assert signals.wait(0.05) == []
        assert 0.04 < time.monotonic() - began < 5.0
        os.write(write_fd, b"x")
        assert signals.wait(10.0, also_fd=read_fd) == []
        assert time.monotonic() - began < 5.0
        assert signals.wait(-1.0) == []
    os.close(read_fd)
    os.close(write_fd)


def test_what_handled_signals_before_does_again() -> None:
    before = [signal.getsignal(number) for number in HEARD]
    with Signals():
        assert [signal.getsignal(number) for number in HEARD] != before
    assert [signal.getsignal(number) for number in HEARD] == before
