from os import PathLike
from typing import Final, final

from fastgate._core.usage import Usage

BYTES_PER_TOKEN: Final[int]
CLASS_NAMES: Final[tuple[str, ...]]
DEFAULT_SLOTS: Final[int]
FIVE_MINUTES_NS: Final[int]
HOUR_NS: Final[int]
OUTPUT_FIRST: Final[int]
PACE_MAX_MS: Final[int]

def hash_of(text: str) -> int: ...

@final
class WarmthTable:
    """What is warm in which prompt cache, of every conversation that goes on; one file for all workers."""

    @staticmethod
    def open(path: str | PathLike[str], slots: int = ...) -> WarmthTable: ...
    def find(self, key: str, session: str, agent: str) -> Conversation | None: ...
    def expected_output(self, known: Conversation | None, request_class: str) -> int: ...
    def learn(
        self,
        key: str,
        session: str,
        agent: str,
        request_class: str,
        place: int,
        model: str,
        system_bytes: int,
        body_bytes: int,
        now_ns: int,
        usage: Usage | None,
    ) -> None: ...
    def close(self) -> None: ...

@final
class Conversation:
    """What was known of one conversation when it was looked up."""

    @property
    def home(self) -> int: ...
    @property
    def used_ns(self) -> int: ...
    @property
    def pace_ms(self) -> int: ...
    @property
    def learned(self) -> bool: ...
    @property
    def caches(self) -> bool: ...
    @property
    def hour(self) -> bool: ...
    @property
    def us_geo(self) -> bool: ...
    def warm(self, place: int, model: str, system_bytes: int, now_ns: int) -> int: ...
    def warm_until(self, place: int, model: str, system_bytes: int, now_ns: int) -> int: ...
    def prompt_tokens(self, body_bytes: int) -> int: ...
