from typing import Final

VALUE_BYTES_MAX: Final[int]

def request_head(begin: bytes, query: str, fixed: bytes, version: bytes, lines: bytes, length: int) -> bytes:
    """`begin`, the query where there is one, `fixed`, `version` and `lines`, and the length of the body."""
