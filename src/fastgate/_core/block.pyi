from typing import Any, final

@final
class Block:
    """One content block of a request body; see block.pxd."""

    kind: int
    """Index into fastgate.guards.rule.KINDS."""
    role: str
    """system, user, assistant, or whatever the message says."""
    mark: bytes
    found: Any
    """What the memo knows of it; None for a block that was never judged."""
    start: int
    """The block's value in the body; of a seam, what of both values is looked at, and what lies between."""
    end: int
    @property
    def text(self) -> bytes:
        """The block's text as its reader gets it, UTF-8."""
    @property
    def seam(self) -> int:
        """Of a seam, the byte of the text at which one string ends and the next begins; -1 for any other block."""
    @property
    def path(self) -> str:
        """Where it stands: `messages[4].content[0].content[1]`."""
    @property
    def tool(self) -> str:
        """The name of the tool that was called or is defined, else empty."""
    def raw_places(self, start: int, end: int) -> list[tuple[int, int, bool, bytes]]:
        """The bytes of the body that text[start:end] stands for, in order: from, to, whether they lie between quotes,
        and their text. A place within a character or an escape covers all of it."""
