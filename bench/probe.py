"""One streamed call after another on a kept connection: how long the first words of each answer take."""

from __future__ import annotations

import json
import socket
import time

from bench.load import payloads

FIRST = b"content_block_delta"
END = b"0\r\n\r\n"
"""The last chunk of an answer."""

ANSWER_S = 30.0
"""Longest wait for any part of one."""


def message(text: str) -> bytes:
    """The body of a streamed call that says `text`, on one line."""
    request = {"model": payloads.MODEL, "max_tokens": 64_000, "stream": True}
    return json.dumps(request | {"messages": [{"role": "user", "content": text}]}).encode()


def head(key: str, size: int) -> bytes:
    """The head of a call with a body of `size` bytes."""
    lines = {**payloads.HEADERS, "host": "127.0.0.1", "x-api-key": key, "content-length": str(size)}
    fields = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST /v1/messages HTTP/1.1\r\n{fields}\r\n".encode()


class Probe:
    """A connection to a server on this machine."""

    def __init__(self, port: int, key: str) -> None:
        body = message("[[sim:text tokens=8]]")
        self._sent = head(key, len(body)) + body
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def first_token_ms(self) -> float:
        """Time from the call's last byte to the first delta of its answer, which is read to its end. RuntimeError for
        any other answer."""
        self._socket.sendall(self._sent)
        begun, took, answer = time.perf_counter(), 0.0, b""
        while not answer.endswith(END):
            received = self._socket.recv(65_536)
            if not received:
                raise RuntimeError(f"the connection closed in an answer: {answer[:300]!r}")
            answer += received
            if not took and FIRST in answer:
                took = time.perf_counter() - begun
        if not took:
            raise RuntimeError(f"an answer without a first token: {answer[:300]!r}")
        return took * 1e3

    def close(self) -> None:
        self._socket.close()
