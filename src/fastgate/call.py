"""One call on its way through the rooms: what each room has found out so far. Made by the edge, read by the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

from fastgate.clock import mono_ns, wall_ns
from fastgate.record import Attempt, Outcome, UsageState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastgate._core.head import RequestHead
    from fastgate._core.meter import Meter
    from fastgate._core.money import PriceRow
    from fastgate._core.pump import Pump
    from fastgate._core.request import RequestView
    from fastgate._core.usage import Usage
    from fastgate.errors import GatewayError
    from fastgate.snapshot import Endpoint, KeyRow, Snapshot

Route = Literal["messages", "count_tokens"]


class Downstream(Protocol):
    """The server's side of one request: RSGI's HTTP protocol object."""

    async def __call__(self) -> bytes: ...
    def __aiter__(self) -> AsyncIterator[bytes]: ...
    def client_disconnect(self) -> Any: ...
    def response_empty(self, status: int, headers: list[tuple[str, str]]) -> None: ...
    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None: ...
    def response_stream(self, status: int, headers: list[tuple[str, str]]) -> Any: ...


class Call:
    """The state of one call. Rooms fill it in the order of pipeline.py; nothing of it outlives the call.

    `answered` is set once a response head was given to the server: from then on no other answer can be given.
    """

    __slots__ = (
        "answered", "at_ns", "attempts", "body", "bound_nano", "client", "cost_nano", "endpoint", "error", "head",
        "head_us", "id", "meter", "n", "outcome", "price", "principal", "proto", "pump", "query", "reading", "request",
        "response_bytes", "route", "sent", "session", "slot", "snapshot", "start_ns", "status", "system_sha256", "task",
        "upstream_request_id", "usage", "usage_state", "watched",
    )  # fmt: skip

    def __init__(self, n: int, epoch: str, snapshot: Snapshot, route: Route, proto: Downstream, client: str) -> None:
        self.n = n
        self.id = f"fg-{epoch}-{n}"
        self.snapshot = snapshot
        self.route: Route = route
        self.proto = proto
        self.client = client
        self.query = ""
        self.at_ns = wall_ns()
        self.start_ns = mono_ns()
        # edge
        self.head: RequestHead
        self.body = b""
        self.request: RequestView | None = None
        self.session = ""
        self.system_sha256 = ""
        self.reading = False
        self.task: Any = None
        # identity
        self.principal: KeyRow | None = None
        # route and relay
        self.endpoint: Endpoint | None = None
        self.price: PriceRow | None = None
        self.bound_nano = 0
        self.meter: Meter | None = None
        self.pump: Pump | None = None
        self.slot = -1
        self.sent = False
        self.watched: Any = None
        self.attempts: list[Attempt] = []
        # the answer
        self.answered = False
        self.status = 0
        self.head_us = 0
        self.response_bytes = 0
        self.upstream_request_id = ""
        self.outcome: Outcome = "ok"
        self.error = ""
        # ledger
        self.usage: Usage | None = None
        self.usage_state: UsageState = "none"
        self.cost_nano = 0

    def fail(self, error: GatewayError) -> None:
        """Note how the call ended when the gateway answers it itself."""
        if error.kind == "client_gone":
            self.outcome = "client_gone"
        elif error.kind == "cancelled":
            self.outcome = "cancelled"
        else:
            self.outcome = "upstream_error" if error.source == "upstream" else "refused"
        self.error = error.kind.value

    @property
    def elapsed_us(self) -> int:
        return (mono_ns() - self.start_ns) // 1000
