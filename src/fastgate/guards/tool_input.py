"""The input of a tool that a streamed answer asks for, as a message of its own, so that it is read as any block is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastgate._core.blocks import read_answer

if TYPE_CHECKING:
    from fastgate._core.block import Block

INPUT_FRAME = b'{"role":"assistant","content":[{"type":"tool_use","input":%b}]}'
INPUT_FRAME_END = len(b"}]}")
"""An answer that holds a tool's input and nothing else, and what of it stands behind that."""


def framed(given: bytes) -> tuple[bytes, Block | None]:
    """A tool's input in a message of its own, and its block there; None for what is no JSON or closes the frame."""
    body = INPUT_FRAME % (given or b"{}")
    try:
        (block,) = read_answer(body).noted
    except ValueError:
        return body, None
    first = INPUT_FRAME.index(b"%b") + len(given) - len(given.lstrip())
    end = len(body) - INPUT_FRAME_END - len(given) + len(given.rstrip())
    return body, block if (block.start, block.end) == (first, end) else None
