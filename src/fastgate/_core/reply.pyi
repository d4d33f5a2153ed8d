from typing import Final

from typing_extensions import disjoint_base

LINES_MAX: Final[int]
RETURNED_MAX: Final[int]

@disjoint_base
class AnswerHead:
    """What the head of an answer says of it."""

    @property
    def headers(self) -> list[tuple[str, str]]: ...
    @property
    def request_id(self) -> str: ...
    @property
    def event_stream(self) -> bool: ...
    @property
    def encoded(self) -> bool: ...

def plain_head(data: bytes) -> tuple[int, int, int, list[tuple[bytes, bytes]]] | None: ...
