from asyncio import AbstractEventLoop, Future
from collections.abc import Callable
from typing import Final, final, overload

from fastgate._core.credit import Credit
from fastgate._core.flight import FlightTable
from fastgate._core.meter import Meter
from fastgate._core.reply import AnswerHead

BODY_BYTES_MAX: Final[int]
HEAD_BYTES_MAX: Final[int]
HELD_BYTES_MAX: Final[int]
INFORMATIONAL_MAX: Final[int]
PING: Final[bytes]

@final
class Pump(AnswerHead):
    """One keep-alive connection to one endpoint; one exchange at a time."""

    def __init__(self, loop: AbstractEventLoop) -> None: ...
    @property
    def failure(self) -> str | None: ...
    @property
    def status(self) -> int: ...
    @property
    def good(self) -> bool: ...
    @property
    def received(self) -> bool: ...
    @property
    def paused(self) -> bool: ...
    @property
    def exchanges(self) -> int: ...
    @property
    def bytes_out(self) -> int: ...
    @property
    def last_ns(self) -> int: ...
    @property
    def tape(self) -> list[bytes] | None: ...
    @property
    def tape_ns(self) -> list[int] | None: ...
    @property
    def client_gone(self) -> bool: ...
    @property
    def usable(self) -> bool: ...
    @property
    def streaming(self) -> bool: ...
    @property
    def over(self) -> bool: ...
    @property
    def body(self) -> bytes: ...
    @overload
    def start(
        self,
        head: bytes,
        body: bytes,
        meter: Meter,
        flight: FlightTable,
        slot: int,
        stream: bool,
        first_byte_ns: int,
        idle_ns: int,
        ping_ns: int,
        hold_ns: int = ...,
        told: None = ...,
    ) -> Future[None]: ...
    @overload
    def start(
        self,
        head: bytes,
        body: bytes,
        meter: Meter,
        flight: FlightTable,
        slot: int,
        stream: bool,
        first_byte_ns: int,
        idle_ns: int,
        ping_ns: int,
        hold_ns: int,
        told: Callable[[], object],
    ) -> None: ...
    @overload
    def attach(
        self,
        send: Callable[[bytes], object],
        credit: Credit,
        locate: Callable[[Callable[[], None]], None],
        told: None = ...,
    ) -> Future[None]: ...
    @overload
    def attach(
        self,
        send: Callable[[bytes], object],
        credit: Credit,
        locate: Callable[[Callable[[], None]], None],
        told: Callable[[], object],
    ) -> None: ...
    def leave(self) -> None: ...
    def record(self, room: int, timed: bool = ...) -> None: ...
    def share(self, listener: Callable[[], object]) -> None: ...
    def unshare(self) -> None: ...
    def fail(self, kind: str) -> None: ...
    def abort(self) -> None: ...
    def tick(self, now_ns: int) -> None: ...
    def recheck(self) -> None: ...
    def connection_made(self, transport: object) -> None: ...
    def connection_lost(self, exc: BaseException | None) -> None: ...
    def data_received(self, data: bytes) -> None: ...
