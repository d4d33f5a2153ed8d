"""`python -m bench.slow_client KIND PORT COUNT KEY`: COUNT slow connections of one kind, by a client that itself needs
next to no CPU; started by bench.slow.

slowhttptest asks the kernel about all its connections without a pause and keeps a core busy, as a thousand attackers
elsewhere do not. Prints a line once all connections are there, then goes on until it is ended.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import Any

import uvloop

from bench.load import payloads
from bench.probe import head
from fastgate.proc import die_with_parent, take_limits

KINDS = ("heads", "bodies", "readers")

EVERY_S = 5.0
"""Each connection sends (or reads) a little so often, as slowhttptest does with `-i 5`."""

WINDOW_BYTES = 2_304
"""Linux's least receive buffer: what a slow reader has room for."""

BODY_BYTES = 8_192
"""That a slow body promises."""

TURNS = 50
"""The connections take turns in so many groups, so that they do not come all at once."""


def opening(kind: str, key: str) -> bytes:
    """What a connection of that kind sends first."""
    body = payloads.small(stream=False)
    if kind == "readers":
        return head(key, len(body)) + body
    if kind == "bodies":
        return head(key, BODY_BYTES) + body[:1]
    return head(key, len(body)).removesuffix(b"\r\n")


def slow_socket(kind: str, port: int) -> socket.socket:
    made = socket.socket()
    if kind == "readers":
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW_BYTES)
    made.connect(("127.0.0.1", port))
    made.setblocking(False)
    return made


def step(kind: str, slow: socket.socket, number: int) -> None:
    """A header line, a byte of the body, a byte read. A connection that the server has ended stays as it is."""
    try:
        if kind == "readers":
            slow.recv(1)
        else:
            slow.send(b"x-slow-%d: 1\r\n" % number if kind == "heads" else b" ")
    except OSError:
        pass


async def attack(kind: str, port: int, count: int, key: str) -> None:
    first, opened = opening(kind, key), []
    for number in range(count):
        slow = slow_socket(kind, port)
        slow.send(first)
        opened.append(slow)
        if number % 20 == 0:
            await asyncio.sleep(0.001)
    sys.stdout.write("open\n")
    sys.stdout.flush()
    turn = 0
    while True:
        await asyncio.sleep(EVERY_S / TURNS)
        for slow in opened[turn % TURNS :: TURNS]:
            step(kind, slow, turn)
        turn += 1


def main(arguments: list[str]) -> Any:
    kind, port, count, key = arguments
    die_with_parent()
    take_limits()
    uvloop.run(attack(kind, int(port), int(count), key))


if __name__ == "__main__":
    main(sys.argv[1:])
