"""What the kernel alone asks for an event that is passed on: one read and one write, with nothing between them."""

from __future__ import annotations

import socket
import time

from bench.figures import median

EVENT = b"event: content_block_delta\ndata: " + b"x" * 110 + b"\n\n"
"""About the size of one text delta."""

REPEATS = 20_000


def floor_us(repeats: int = REPEATS) -> float:
    """Microseconds of a read and a write on two loopback connections of this machine, the median of many. What the
    kernel does at the receiver's end of the write is in it, as it is for a server; waiting for readiness is not."""
    (source, inlet), (outlet, sink) = pair(), pair()
    times = []
    try:
        for _ in range(repeats):
            source.send(EVENT)
            begun = time.perf_counter()
            outlet.send(inlet.recv(4_096))
            times.append(time.perf_counter() - begun)
            sink.recv(4_096)
    finally:
        for end in (source, inlet, outlet, sink):
            end.close()
    return median(times) * 1e6


def pair() -> tuple[socket.socket, socket.socket]:
    """Two ends of a loopback connection, without Nagle's delay."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ours = socket.create_connection(listening.getsockname())
        theirs, _ = listening.accept()
    for end in (ours, theirs):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return ours, theirs
