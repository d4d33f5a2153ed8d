from os import PathLike
from typing import final

from fastgate._core.usage import Usage

MAGIC: bytes
VERSION: int
HEADER_BYTES: int
NOTE_BYTES: int
SLOT_BYTES: int
DEFAULT_SLOTS: int
MAX_SLOTS: int
FLAG_SEEN: int
FLAG_FINAL: int
FLAG_MALFORMED: int
FLAG_FAST: int
FLAG_US_GEO: int
FLAG_PRIORITY: int

@final
class FlightTable:
    @property
    def path(self) -> str: ...
    @property
    def epoch(self) -> str: ...
    @property
    def in_flight(self) -> int: ...
    @property
    def slots(self) -> int: ...
    calls: int
    generation: int

    @staticmethod
    def create(path: str | PathLike[str], epoch: str, slots: int = ...) -> FlightTable: ...
    def claim(self, n: int, at_ns: int, blob: bytes) -> int: ...
    def amend(self, slot: int, blob: bytes) -> None: ...
    def release(self, slot: int) -> None: ...
    def note_usage(self, slot: int, usage: Usage, output_bytes: int) -> None: ...
    def close(self) -> None: ...
