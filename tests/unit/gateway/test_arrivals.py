"""Plain calls begin in the server's thread and go on when their body is there; all others go Granian's own way."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Any

import pytest

from fastgate.gateway.arrivals import carry
from fastgate.gateway.opening import scheduling


class Reading:
    """The server's future of a body, as Granian's: whoever asks it when it is over is taken to be on the loop. `come`
    is called by the server's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, over: bool = False) -> None:
        self.loop = loop
        self.over = over
        self.told: Callable[[object], None] | None = None

    def done(self) -> bool:
        return self.over

    def add_done_callback(self, told: Callable[[object], None], context: contextvars.Context) -> None:
        if self.over:
            self.loop.call_soon(told, self, context=context)
        else:
            self.told = told

    def come(self) -> None:
        assert self.told is not None
        self.over = True
        self.loop.call_soon_threadsafe(self.told, self)


class Watcher:
    def __init__(self) -> None:
        self.scope = self.proto = None
        self.ended: list[object] = []
        self.tasks: list[Any] = []
        self.over = asyncio.Event()

    def taskref(self, task: Any) -> None:
        self.tasks.append(task)

    def done(self) -> None:
        self.ended.append("done")
        self.over.set()

    def err(self, error: BaseException) -> None:
        self.ended.append(error)
        self.over.set()


class Call:
    """One that was asked for its body, and goes on as a task."""

    def __init__(self, reading: Reading, watcher: Watcher, late: BaseException | None = None) -> None:
        self.reading, self.watcher, self.late = reading, watcher, late
        self.begun: list[object] = []
        self.gone_on = False

    def begin(self, reading: object) -> None:
        self.begun.append(reading)
        self.watcher.taskref(asyncio.get_running_loop().create_task(carry(self.watcher, self.go_on())))

    async def go_on(self) -> None:
        self.gone_on = True
        if self.late is not None:
            raise self.late


class App:
    """Opens what it was given."""

    def __init__(self, call: Call | None, fault: Exception | None = None) -> None:
        self.call, self.fault = call, fault
        self.threads: list[int] = []

    def open(self, watcher: Watcher) -> Call | None:
        self.threads.append(threading.get_ident())
        if self.fault is not None:
            raise self.fault
        return self.call


def bring(app: App, watcher: Watcher, others: list[Any], loop: asyncio.AbstractEventLoop) -> None:
    """As the server's thread does it."""
    thread = threading.Thread(target=scheduling(app, loop, contextvars.copy_context(), others.append), args=(watcher,))
    thread.start()
    thread.join()


@pytest.mark.parametrize("late", [None, ValueError("x"), asyncio.CancelledError()])
def test_a_plain_call_begins_when_its_body_is_there(late: BaseException | None) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        reading = Reading(loop)
        watcher, others = Watcher(), list[Any]()
        call = Call(reading, watcher, late)
        app = App(call)
        bring(app, watcher, others, loop)
        assert app.threads
        assert app.threads != [threading.get_ident()]
        await asyncio.sleep(0.01)
        assert call.begun == []
        bringing = threading.Thread(target=reading.come)
        bringing.start()
        await asyncio.wait_for(watcher.over.wait(), 5)
        bringing.join()
        assert call.begun == [reading]
        assert call.gone_on
        assert watcher.ended == ["done" if late is None else late]
        assert len(watcher.tasks) == 1
        assert others == []

    asyncio.run(run())


def test_a_body_that_is_there_at_once_is_told_from_the_servers_thread() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        watcher, others = Watcher(), list[Any]()
        call = Call(Reading(loop, over=True), watcher)
        bring(App(call), watcher, others, loop)
        await asyncio.wait_for(watcher.over.wait(), 5)
        assert call.gone_on
        assert others == []

    asyncio.run(run(), debug=True)  # in which a loop refuses to be called from another thread


@pytest.mark.parametrize("fault", [None, ValueError("x")])
def test_what_is_no_plain_call_or_cannot_be_opened_goes_granians_own_way(fault: Exception | None) -> None:
    async def run() -> None:
        app, watcher, others = App(None, fault=fault), Watcher(), list[Any]()
        bring(app, watcher, others, asyncio.get_running_loop())
        await asyncio.sleep(0.01)
        assert others == [watcher]
        assert watcher.ended == []

    asyncio.run(run())
