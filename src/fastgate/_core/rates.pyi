from collections.abc import Sequence
from typing import final

SLOTS: int
LANES: int
HEAD_BYTES: int
LANE_BYTES: int
TABLE_BYTES: int
MAX_TOKENS: int

@final
class RateTable:
    lane: int
    def __init__(self, fd: int, lane: int) -> None: ...
    def gate(self, limits: Sequence[tuple[int, int, int, int]]) -> Gate: ...

@final
class Gate:
    wait_ns: int
    def __init__(self) -> None: ...
    def enter(self, now_ns: int) -> int: ...
    def leave(self, tokens: int, now_ns: int) -> None: ...
    @property
    def in_flight(self) -> list[int]: ...
