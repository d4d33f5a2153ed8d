"""One pipelined connection to Redis: commands go out as they come, answers are matched in order. hiredis reads them.

A connection that is away answers None at once and is dialled again with a growing pause: a cache must never make a call
wait for a store that does not answer.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from typing import Any
from urllib.parse import unquote, urlsplit

import hiredis

from fastgate.log import Log

ANSWER_S = 0.25
"""How long one answer may take: a local Redis answers in 0.1 ms, and beyond this the provider is nearly as quick."""

PAUSE_MIN_S = 0.1
PAUSE_MAX_S = 5.0
"""Between attempts to connect."""

WAITING_MAX = 10_000
"""Commands without an answer on one connection; beyond this Redis is not keeping up, and the next ones are away."""

DIAL_S = 1.0

log = Log("cache")

Word = bytes | str | int


def packed(words: tuple[Word, ...]) -> bytes:
    command: bytes = hiredis.pack_command(words)  # type: ignore[arg-type]  # its stub allows one word only
    return command


class RedisUrl:
    """redis://[user:password@]host[:port][/db], rediss:// for TLS, unix:///path[?db=N]."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.path = parts.path if parts.scheme == "unix" else ""
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 6379
        self.tls = ssl.create_default_context() if parts.scheme == "rediss" else None
        self.user, self.password = unquote(parts.username or ""), unquote(parts.password or "")
        named = parts.query.removeprefix("db=") if parts.scheme == "unix" else parts.path.strip("/")
        self.db = int(named or 0)

    def greeting(self) -> list[tuple[Word, ...]]:
        """The commands that open a connection."""
        words: list[tuple[Word, ...]] = []
        if self.password:
            words.append(("AUTH", self.user, self.password) if self.user else ("AUTH", self.password))
        if self.db:
            words.append(("SELECT", self.db))
        return words


class Redis(asyncio.Protocol):
    """The connection of one worker, which keeps itself connected until `close`."""

    def __init__(self, url: RedisUrl, loop: asyncio.AbstractEventLoop) -> None:
        self.url = url
        self.loop = loop
        self.away = 0
        """Commands that found no connection, or no answer in time."""
        self._transport: asyncio.WriteTransport | None = None
        self._reader = hiredis.Reader()
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._pause_s = PAUSE_MIN_S
        self._closed = False
        self._dialling: asyncio.Task[None] | None = None
        self._dial_soon(0)

    async def ask(self, *words: Word) -> Any:
        """The answer, or None where Redis is away, slow or refuses."""
        answer = self.send(*words)
        if answer is None:
            return None
        try:
            async with asyncio.timeout(ANSWER_S):
                told = await answer
        except TimeoutError:
            self.away += 1
            return None
        return None if isinstance(told, Exception) else told

    def send(self, *words: Word) -> asyncio.Future[Any] | None:
        """Sends a command without waiting; its future answer, which may be an error; None when Redis is away."""
        if self._transport is None or len(self._waiting) >= WAITING_MAX:
            self.away += 1
            return None
        future: asyncio.Future[Any] = self.loop.create_future()
        self._waiting.append(future)
        self._transport.write(packed(words))
        return future

    def close(self) -> None:
        self._closed = True
        if self._dialling is not None:
            self._dialling.cancel()
        if self._transport is not None:
            self._transport.close()

    # -- the connection ---------------------------------------------------------------------------------------------

    def _dial_soon(self, pause_s: float) -> None:
        if not self._closed:
            self._dialling = self.loop.create_task(self._dial(pause_s))

    async def _dial(self, pause_s: float) -> None:
        while True:
            await asyncio.sleep(pause_s)
            try:
                async with asyncio.timeout(DIAL_S):
                    await self._connect()
            except (OSError, TimeoutError) as error:
                log.warning("redis cannot be reached", why=str(error) or "no answer", again_s=self._pause_s)
                pause_s = self._pause_s
                self._pause_s = min(2 * self._pause_s, PAUSE_MAX_S)
            else:
                self._pause_s = PAUSE_MIN_S
                return

    async def _connect(self) -> None:
        if self.url.path:
            await self.loop.create_unix_connection(lambda: self, self.url.path)
        else:
            await self.loop.create_connection(lambda: self, self.url.host, self.url.port, ssl=self.url.tls)

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._reader = hiredis.Reader()
        raw = transport.get_extra_info("socket")
        if raw is not None and not self.url.path:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for words in self.url.greeting():
            answer = self.send(*words)
            if answer is not None:
                answer.add_done_callback(_complain)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while True:
            try:
                told = self._reader.gets()
            except hiredis.ProtocolError:
                if self._transport is not None:
                    self._transport.abort()
                return
            if told is False:
                return
            if self._waiting and not (future := self._waiting.popleft()).done():
                future.set_result(told)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(None)
        self._dial_soon(self._pause_s)


def _complain(answer: asyncio.Future[Any]) -> None:
    if not answer.cancelled() and isinstance(answer.result(), Exception):
        log.error("redis refuses this gateway", why=answer.result())


class BlockingRedis:
    """The same store for a command that may wait: one command at a time."""

    def __init__(self, url: RedisUrl, timeout_s: float = 10.0) -> None:
        if url.path:
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(timeout_s)
            try:
                self._socket.connect(url.path)
            except OSError:
                self._socket.close()
                raise
        else:
            self._socket = socket.create_connection((url.host, url.port), timeout_s)
            if url.tls is not None:
                self._socket = url.tls.wrap_socket(self._socket, server_hostname=url.host)
        self._reader = hiredis.Reader()
        for words in url.greeting():
            self.ask(*words)

    def ask(self, *words: Word) -> Any:
        """The answer. Raises OSError where there is none or it is a refusal."""
        self._socket.sendall(packed(words))
        while (told := self._reader.gets()) is False:
            data = self._socket.recv(65536)
            if not data:
                raise OSError("redis closed the connection")
            self._reader.feed(data)
        if isinstance(told, Exception):
            raise OSError(f"redis refuses: {told}")
        return told

    def close(self) -> None:
        self._socket.close()
