"""One call on its way through the rooms: what each room has found out so far. Made by the edge, read by the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias

import msgspec

from fastgate._core.clock import mono_ns, wall_ns
from fastgate._core.head import read_head
from fastgate.record import Outcome, UsageState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from fastgate._core.escrow import Hold
    from fastgate._core.head import RequestHead
    from fastgate._core.meter import Meter
    from fastgate._core.money import PriceRow
    from fastgate._core.pump import Pump
    from fastgate._core.rates import Gate
    from fastgate._core.request import RequestView
    from fastgate._core.usage import Usage
    from fastgate.errors import GatewayError
    from fastgate.snapshot import Endpoint, KeyRow, Snapshot

Route = Literal["messages", "count_tokens"]

Candidate: TypeAlias = "tuple[Endpoint, PriceRow, int, str]"
"""Where a call may go, what it is priced at there, the most it can cost, in nano-dollars, and the model it asks for."""

AttemptFields = tuple[str, str, int, str, int, int]
"""One try, in the order of fastgate.record.Attempt: endpoint, model, status, error, duration_us, cost_nano."""


NO_CELLS = msgspec.Raw(b"\x90")
"""No cell: an array of none, in MessagePack."""

NO_HEAD = read_head([])
"""Of a request whose headers could not be read."""


class Front(NamedTuple):
    """A request in the dialect of Bedrock or Vertex AI: what its path says. `model` is as Anthropic names it; empty
    where the body has it."""

    dialect: Literal["bedrock", "vertex"]
    route: Route
    model: str
    stream: bool


class Downstream(Protocol):
    """The server's side of one request: RSGI's HTTP protocol object."""

    def __call__(self) -> Any: ...
    def __aiter__(self) -> AsyncIterator[bytes]: ...
    def client_disconnect(self) -> Any: ...
    def response_empty(self, status: int, headers: list[tuple[str, str]]) -> None: ...
    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None: ...
    def response_stream(self, status: int, headers: list[tuple[str, str]]) -> Any: ...


class Tap(Protocol):
    """Something that an answer passes: a stream by `feed` and `finish`, a message by `whole`. Gives what goes on.

    One that only judges has `terms`, a pair, the first compared by identity: an answer that went through unchanged, and
    of which nothing was noted, does so again under the same terms."""

    @property
    def terms(self) -> tuple[object, object] | None: ...
    def feed(self, chunk: bytes) -> bytes: ...
    def finish(self) -> bytes: ...
    def whole(self, body: bytes) -> bytes: ...


class Review(Protocol):
    """Who is asked about an answer, and lets it go on in their own time: a stream by `feed` and `settled`, a message by
    `whole`."""

    push: Callable[[bytes], object]
    """Where what goes on goes."""
    bytes_out: int
    """So many of them went out so far."""

    def feed(self, chunk: bytes) -> None: ...
    async def settled(self) -> None: ...
    async def whole(self, body: bytes) -> bytes: ...
    def close(self) -> None: ...


class Call:
    """The state of one call. Rooms fill it in the order of pipeline.py; nothing of it outlives the call.

    call.pxd beside this file gives the fields their C types: the rooms that are compiled read and write them without a
    look-up.
    """

    n: int
    id: str
    snapshot: Snapshot
    route: Route
    proto: Downstream
    scope: Any
    """The server's view of the request; None where nothing came over a connection."""
    at_ns: int
    """Wall time of its beginning."""
    start_ns: int
    """Monotonic."""
    attempts: list[AttemptFields]
    begun_ns: int
    """Monotonic, of the attempt that is under way or was the last."""

    # edge
    head: RequestHead
    body: bytes
    query: str
    authority: str | None
    """Of a target in absolute form; None for a path."""
    front: Front | None
    """The dialect that the client speaks, where it is not Anthropic's own."""
    own_lines: bytes | None
    """The header lines that travel, where a dialect wrote them anew; `own_version`: one of them is a version."""
    own_version: bool
    session: str
    system_sha256: str
    request: RequestView | None
    """What `body` says; a room that rewrites the body reads it anew."""
    reading: Any
    """The future of a body that is being read, for the watch to cancel; `late` says that it did."""
    late: bool
    """It came too late, its body or the whole call: nothing is sent for it any more."""
    waiting: Any
    """What ends its wait before it is sent (gateway/waiting.py), for the watch to cancel."""
    paced: Any
    """The event that ends the waits of an answer that is given at its pace; for the watch to set when the rest is to go
    at once."""
    received: int
    """Bytes of a chunked body so far."""

    # identity
    principal: KeyRow | None

    # policy
    gate: Gate | None
    """What the call has entered and must leave, where a rate limit applies."""

    # guard, cache and money: what the rooms between policy and relay have to say of this call
    guard: str
    screened: bool
    """Guards have judged its body."""
    verdicts: tuple[tuple[str, str, str, str, str, str], ...]
    """What guards found, as the record lists it (record.Verdict)."""
    sightings: tuple[tuple[int, str, bytes], ...]
    """Blocks that this caller had not sent before (record.Sighting)."""
    review: Review | None
    """Vendors' guards that are asked about the answer."""
    tap: Tap | None
    """What the answer passes on its way to the client; None where it goes as it came."""
    cache: str
    budget: str
    """The tightest budget as the response header has it; empty when none applies."""
    stages: tuple[str, ...]
    """Budget stages in force for this call, as the record lists them."""
    saved_nano: int
    """What it would have cost as it was asked for, less its cost: of a cache, or the sum of the two below."""
    saved_downgrade_nano: int
    saved_arbitration_nano: int
    """What the model, and what the endpoint saved (fastgate.routing.savings); negative where it was dearer."""

    asked: Any
    """The call as a question to the cache (fastgate.caching.asked); None where it is none, or was answered."""
    namespace: str
    """The partition of the cache that the client named."""
    hit: tuple[str, bytes] | None
    """The answer that was found: its form (events or message) and bytes."""
    origin: tuple[str, str, str] | None
    """Who gave that answer the first time: model, endpoint, its kind."""
    hold: Hold | None
    """What is held for it on the budgets that bind it, until it is settled; None where no hard budget does."""
    draw: Any
    """What the hold was taken from, for attempts that need more."""
    cells: msgspec.Raw
    """The store's numbers of the cells it is charged to, as the record has them: those of the moment of its hold,
    whatever comes later."""
    model_asked: str
    """The model the client asked for, where another was put into the body."""

    preferred: tuple[str, ...]
    """Models that the request names for when its model fails, best first; those that are left."""

    # the ladder
    decided: bool
    """A rule has decided about its model: a budget's stage does no more."""
    ladder: Any
    """What was decided last, as the record lists it (record.Step); None where nothing wanted another model."""

    # route and relay
    model: str
    """The model that is sent, where it is not the one that was asked for."""
    home: str
    """Where its conversation was before, where a router chose: `endpoint` or `endpoint/key`; empty for a new one."""
    reason: str
    """Why the first candidate is first (record.Decision.reason)."""
    decision: Any
    """What the order of the candidates was decided on, as the record lists it (record.Decision); None without a
    choice."""
    routed: str
    """Why model or endpoint differ from what was asked, or `kept;REASON`; empty when nobody wanted a change."""
    placed: tuple[str, int] | None
    """Marks for the prompt cache that were put into the body, and what they are expected to save, in nano-dollars."""
    left_out: tuple[str, ...]
    """Features that the endpoint cannot take and that were left out of what was sent."""
    recast: bytes | None
    """The provider's answer in Anthropic's form, where it came in another."""
    endpoint: Endpoint | None
    price: PriceRow | None
    bound_nano: int
    meter: Meter | None
    pump: Pump | None
    key_gate: Gate | None
    """The limits of the endpoint's key that the attempt has entered and must leave."""
    pool: Any
    """Where the pump came from and goes back to."""
    slot: int
    """The call's place in the flight table, -1 for none."""
    attempted_nano: int
    """What attempts that failed after they were sent may have cost."""
    throttled: bool
    """An endpoint of the model that is sent has too much to do, or limits our rate."""
    sent: bool
    """A request went out: from now on the call may cost money."""
    watched: Any
    """The server's future of the client's departure."""

    # the answer
    answered: bool
    """A response head was given to the server: no other answer can be given."""
    status: int
    head_us: int
    response_bytes: int
    upstream_request_id: str
    outcome: Outcome
    error: str

    # ledger
    usage: Usage | None
    usage_state: UsageState
    cost_nano: int

    def __init__(self, n: int, epoch: str, snapshot: Snapshot, route: Route, proto: Downstream, scope: Any) -> None:
        self.n = n
        self.id = f"fg-{epoch}-{n}"
        self.snapshot = snapshot
        self.route = route
        self.proto = proto
        self.scope = scope
        self.at_ns = wall_ns()
        self.start_ns = mono_ns()
        self.attempts = []
        # what no room has reached yet
        self.head = NO_HEAD
        self.body = b""
        self.query = ""
        self.authority = None
        self.front = self.own_lines = self.recast = None
        self.own_version = False
        self.session = self.system_sha256 = ""
        self.request = self.reading = self.waiting = self.paced = None
        self.late = False
        self.received = 0
        self.principal = None
        self.gate = self.key_gate = None
        self.guard = "not-scanned"
        self.verdicts = self.sightings = ()
        self.tap = self.review = None
        self.cache = "bypass"
        self.budget = ""
        self.stages = self.preferred = ()
        self.saved_nano = self.saved_downgrade_nano = self.saved_arbitration_nano = 0
        self.asked = None
        self.namespace = ""
        self.hit = self.origin = None
        self.hold = self.draw = None
        self.cells = NO_CELLS
        self.model_asked = ""
        self.model = self.home = self.reason = ""
        self.decision = None
        self.decided = self.screened = False
        self.ladder = self.placed = None
        self.routed = ""
        self.left_out = ()
        self.endpoint = None
        self.price = None
        self.bound_nano = self.begun_ns = 0
        self.meter = self.pump = self.pool = None
        self.slot = -1
        self.attempted_nano = 0
        self.sent = self.throttled = False
        self.watched = None
        self.answered = False
        self.status = 0
        self.head_us = 0
        self.response_bytes = 0
        self.upstream_request_id = ""
        self.outcome = "ok"
        self.error = ""
        self.usage = None
        self.usage_state = "none"
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

    def leave(self) -> None:
        """The client has gone: stop the upstream, unless other calls follow this one, whose it is now."""
        if self.asked is not None and self.asked.flight is not None:
            self.asked.flight.lead_on()
        if self.waiting is not None:
            self.waiting.cancel()
        elif self.pump is not None:
            self.pump.leave()

    @property
    def client(self) -> str:
        """Address and port of the connection: streams alone ask for it, and the server writes it anew each time."""
        client: str = self.scope.client
        return client

    @property
    def lines(self) -> bytes:
        """The client's header lines that may travel upstream."""
        return self.head.lines if self.own_lines is None else self.own_lines

    @property
    def has_version(self) -> bool:
        return self.head.has_version if self.own_lines is None else self.own_version

    @property
    def model_used(self) -> str:
        """The model that is sent upstream."""
        return self.model or (self.request.model if self.request is not None else "")

    @property
    def limited_tokens(self) -> int:
        """What a limit of tokens a minute counts. Cache reads are left out, as providers leave them out."""
        used = self.usage
        if used is None:
            return 0
        return used.input_tokens + used.output_tokens + used.cache_write_5m_tokens + used.cache_write_1h_tokens

    def elapsed_us(self) -> int:
        """Since its beginning."""
        return (mono_ns() - self.start_ns) // 1000
