from fastgate._core.request import RequestView

BLOCKS_MAX: int
"""Blocks that are told apart; the print of the last stands for all that follow."""

def read_prefix(view: RequestView, body: bytes) -> bytes:
    """The prompt's blocks in the order of a provider's cache, n of them in 9 n bytes: their prints (32 bits each), the
    bytes of the body at which they begin (32 bits each), both in the machine's order, and a byte each of flags:

        bits 0-1  0 tools, 1 system, 2 messages
        bits 2-4  0 text, 1 tool_use, 2 tool_result, 3 image, 4 document, 5 thinking, 6 other
        bit 5     it has a cache_control, bit 6: of an hour
        bit 7     the first of its message

    Empty for a body under 4 KiB, for one without messages, and where nothing of it may be cached."""
