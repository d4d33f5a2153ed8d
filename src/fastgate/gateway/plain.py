"""The plain way of a call: one that has nothing to wait for but its body and its answer goes through without a task.

The server's thread opens it; the loop takes it through the rooms once its body is there, and to its end once the answer
is, or a stream has been passed on. These are callbacks, compiled (plain.pxd), made of the same steps and rooms as the
task's way. Which goes on where something has to wait (a vendor's guard, a cache, money, a connection) or the provider
did not just answer: `pipeline.go_on` takes the call from the room that it has come to. Must not know rules of its own.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from fastgate._core.credit import Credit
from fastgate.call import Call
from fastgate.errors import GatewayError, Kind, draining
from fastgate.gateway.answer import begin_stream, sender
from fastgate.gateway.arrivals import carry
from fastgate.gateway.drawing import at_once
from fastgate.gateway.exchange import accepted, begin, choose, claim, conclude, early_error, passed_on
from fastgate.gateway.hits import recall
from fastgate.gateway.judging import judge
from fastgate.gateway.parting import Parting
from fastgate.gateway.pipeline import go_on
from fastgate.gateway.rooms.route import plan
from fastgate.gateway.steps import enter, failed, finish, proceed

if TYPE_CHECKING:
    from fastgate._core.pump import Pump
    from fastgate.call import Route
    from fastgate.gateway.opening import Watcher
    from fastgate.gateway.worker import Worker

BILLABLE: dict[str, Route] = {"/v1/messages": "messages", "/v1/messages/count_tokens": "count_tokens"}

OK = 200


def new_call(worker: Worker, scope: Any, proto: Any, route: Route) -> Call:
    """A call that begins now."""
    call = Call(worker.next_number(), worker.epoch, worker.snapshot, route, proto, scope)
    call.authority = scope.authority
    call.query = scope.query_string
    return call


def open_call(worker: Worker, watcher: Watcher) -> Plain | None:
    """Begin a call that nothing stands against so far, and ask for its body; None for any other request. Called by the
    server's thread (arrivals.py): nothing is answered here."""
    scope = watcher.scope
    route = BILLABLE.get(scope.path)
    if route is None or scope.method != "POST" or worker.board.draining or worker.pressure.level(len(worker.calls)):
        return None
    call = new_call(worker, scope, watcher.proto, route)
    try:
        enter(call, worker, scope.headers.items())
    except GatewayError:
        return None
    if not 0 <= call.head.content_length <= call.snapshot.limits.body_bytes:
        return None  # it is not stated or is too large: gateway/body.py knows what to do
    call.reading = call.proto()
    worker.calls[call.n] = call
    return Plain(call, worker, watcher)


class Plain:
    """One call on that way."""

    def __init__(self, call: Call, worker: Worker, watcher: Watcher) -> None:
        self.call = call
        self.worker = worker
        self.watcher = watcher
        self.reading = call.reading
        self.transport: Any = None
        """The server's end of a stream that is being passed on, which it ends when nobody holds it any more."""
        self.credit: Credit | None = None
        self.over = False

    def begin(self, reading: Any) -> None:
        """Its body is there, or will not come: it goes on when it is its turn."""
        turns = self.worker.turns
        if turns.full():
            turns.wait(partial(self.go, reading))
            return
        self.go(reading)
        turns.done()

    def go(self, reading: Any) -> None:
        """Through the rooms up to being sent on."""
        call = self.call
        self.reading = None
        try:
            try:
                body = reading.result()
            except BaseException:  # noqa: BLE001  # of a client that left or was late: the task asks once more
                self.hand_over()
                return
            call.reading = None
            call.body = body
            if call.late:
                raise draining()  # it stood in the line when its worker had to end
            proceed(call, self.worker)
            if call.snapshot.guards is not None and not judge(call):
                self.hand_over()
            elif self.recall():
                self.end(None)
            elif not self.send():
                self.hand_over()
        except Exception as exc:  # noqa: BLE001  # it is told and logged
            self.end(failed(call, exc))

    def recall(self) -> bool:
        """Answer the call with what the cache has at hand."""
        return self.call.snapshot.cache is not None and recall(self.call, self.worker.cached)

    def send(self) -> bool:
        """Send the call, where nothing has to wait for that; False with nothing sent."""
        call, worker = self.call, self.worker
        snapshot, request = call.snapshot, call.request
        assert request is not None
        if call.preferred or not snapshot.plain:
            return False
        candidates = plan(call)
        if snapshot.budgets is not None and not at_once(call, candidates, worker.allowances):
            return False
        candidate = candidates[0]
        pool = worker.upstreams.find(candidate[0])
        if pool is None or pool.gate is not None or pool.wire.credential is not None:
            return False
        pump = pool.take()
        if pump is None:
            return False
        try:
            choose(call, candidate)
            head, body = pool.wire.request(call)
            claim(call, worker.flight)
        except GatewayError:
            pool.give(pump)
            return False  # the task meets it again, and knows what to do
        except BaseException:
            pool.give(pump)
            raise
        begin(call, pool, pump, head, body, worker.flight, self.answered)
        return True

    def answered(self) -> None:
        """The exchange is over, or a stream has come to its content."""
        if self.over:
            return  # a defect of ours, after it was sent: the connection was dropped
        call = self.call
        pump = call.pump
        assert pump is not None
        if pump.failure is not None or pump.status != OK:
            self.hand_over()
            return
        try:
            try:
                conclude(call, call.pool, self.worker.flight)
            except GatewayError:
                self.hand_over()
                return
            if early_error(call, pump):
                self.hand_over()
                return
            accepted(call, call.pool, "")
            if pump.streaming:
                self.pass_on(pump)
                return
        except Exception as exc:  # noqa: BLE001  # as above
            self.transport = None  # a stream that broke off has no closing line
            self.end(failed(call, exc))
        else:
            self.end(None)

    def pass_on(self, pump: Pump) -> None:
        """Stream the answer to the client from here."""
        call = self.call
        self.transport = begin_stream(call, pump)
        self.credit = Credit(call.client)
        pump.attach(sender(call, self.transport), self.credit, self.worker.locate, self.passed)

    def passed(self) -> None:
        """The stream has ended."""
        if self.over:
            return
        call, credit = self.call, self.credit
        assert call.pump is not None
        assert credit is not None
        try:
            if passed_on(call, self.transport):
                self.end(None)
            elif call.pump.failure == Kind.CLIENT_GONE.value:
                self.drop()
            else:
                Parting(self.worker.loop, credit, self.worker.locate, self.drop)
        except Exception as exc:  # noqa: BLE001  # as above
            self.transport = None
            self.end(failed(call, exc))

    def drop(self) -> None:
        """A stream that broke off has no closing line."""
        self.transport = None
        self.end(None)

    def end(self, error: GatewayError | None) -> None:
        """Finish it and tell the server."""
        call, worker, watcher = self.call, self.worker, self.watcher
        self.over = True
        if error is not None and call.pump is not None and not call.pump.over:
            call.pump.abort()
        try:
            try:
                finish(call, worker, error, self.transport)
            finally:
                self.transport = None
                del worker.calls[call.n]
        except BaseException as exc:  # noqa: BLE001  # the server answers 500 and logs it
            watcher.err(exc)
        else:
            watcher.done()

    def hand_over(self) -> None:
        """The rest is a task's."""
        call, worker, watcher = self.call, self.worker, self.watcher
        watcher.taskref(worker.loop.create_task(carry(watcher, go_on(call, worker))))
