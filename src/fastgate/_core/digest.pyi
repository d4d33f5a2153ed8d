from typing import Final, final

NODES_MAX: Final[int]

class CanonicalError(ValueError):
    """The body has no canonical form: it has too many values, or was not checked."""

@final
class Canonical:
    """A request in the one form that all ways to write it share."""

    data: bytes
    temperature: str
    """The number as it was written; empty when absent."""
    safeguards: bool
    """The request asks for verdicts on what it holds: they are for this request alone."""
    spoken_start: int
    """Where the last text of the last user message that has one stands in `data`, its length before it."""
    spoken_end: int
    """Equal to the start when there is none."""
    tool_results: bool
    """Some message holds the result of a tool, or a block that may be one."""
    @property
    def spoken(self) -> bytes:
        """That text, UTF-8; empty when there is none."""

def read_canonical(body: bytes) -> Canonical:
    """The canonical form of a body that `read_request` accepted; CanonicalError for one that has none."""
