"""The body of a request: waited for, under a size and a deadline. What it says is the edge's to judge.

The worker's watch cancels a reading that takes longer than `limits.body_s`, or than the gateway has left to live.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from granian._granian import RSGIProtocolClosed, RSGIProtocolError

from fastgate.clock import mono_ns
from fastgate.errors import CLOSE, GatewayError, body_timeout, client_gone, draining, misframed, too_large
from fastgate.gateway.deadlines import body_allowance_ns

if TYPE_CHECKING:
    from fastgate.call import Call

UNIDENTIFIED_BODY_BYTES = 1024 * 1024
"""Most of a body that is read (and dropped) before a 401, so that an honest client sees the answer and not a reset."""


async def receive(call: Call, limit: int) -> bytes:
    """The whole body as sent, of at most `limit` bytes. `call.reading` is the server's future of it, where it was asked
    for before there was a task (plain.py)."""
    length = call.head.content_length
    if length > limit:
        raise too_large(limit)
    try:
        if call.reading is not None:
            asked: bytes = call.reading.result()  # it was asked for, and that is over
            return asked
        # No local name for either: one that was cancelled keeps its error, and that this frame.
        call.reading = call.proto() if length >= 0 else asyncio.ensure_future(_read_chunked(call, limit))
        body: bytes = await call.reading
        return body
    except (RSGIProtocolClosed, RSGIProtocolError):
        raise client_gone() from None
    except asyncio.CancelledError:
        if not call.late:
            raise
        in_time = mono_ns() - call.start_ns <= body_allowance_ns(call)
        raise (draining() if in_time else body_timeout()) from None
    finally:
        call.reading = None


async def _read_chunked(call: Call, limit: int) -> bytes:
    """A chunked body. The server gives an empty piece for the end, and one more for broken framing, for a client that
    left in the middle and for trailers alike: only one empty piece is a body that was sent whole."""
    body = bytearray()  # a list of pieces would cost forty times the body where a client sends a byte a chunk
    empty = 0
    async for chunk in call.proto:
        if not chunk:
            empty += 1
        body += chunk
        call.received = len(body)
        if call.received > limit:
            raise too_large(limit)
    if empty != 1:
        raise misframed("The chunked request body is broken, was not finished, or has trailers.")
    return bytes(body)


async def discard(call: Call, error: GatewayError) -> GatewayError:
    """Read a small body away before an early refusal; a large one is answered at once and the connection closed."""
    if CLOSE[0] in error.headers:
        return error
    if 0 <= call.head.content_length <= UNIDENTIFIED_BODY_BYTES:
        try:
            await receive(call, UNIDENTIFIED_BODY_BYTES)
        except GatewayError as exc:
            return exc
        return error
    error.headers += CLOSE
    return error
