"""Connections to endpoints: a keep-alive pool each, dialling with deadlines and TLS, and the fixed part of a request.

Owns what an endpoint's configuration means on the wire. Knows nothing of callers, prices or retries.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastgate._core.pump import Pump
from fastgate.clock import mono_ns
from fastgate.errors import Kind, endpoint_down
from fastgate.refs import resolve_refs

if TYPE_CHECKING:
    from fastgate.snapshot import Endpoint, Limits, Snapshot

IDLE_CONNECTIONS_MAX = 1024
"""Idle connections kept to one endpoint and worker; what a full worker of short calls leaves behind."""

PATHS = {"messages": "/v1/messages", "count_tokens": "/v1/messages/count_tokens"}


class Pool:
    """The idle connections of one endpoint, newest first, and how to make another."""

    def __init__(self, loop: asyncio.AbstractEventLoop, endpoint: Endpoint, limits: Limits) -> None:
        self.loop = loop
        self.endpoint = endpoint
        self.limits = limits
        self.retired = False
        self._idle: list[Pump] = []
        url = urlsplit(endpoint.base_url)
        tls = url.scheme == "https"
        self.host = url.hostname or ""
        self.port = url.port or (443 if tls else 80)
        self._ssl = ssl.create_default_context(cafile=endpoint.ca_file or None) if tls else None
        self._keepalive_ns = int(limits.keepalive_s * 1e9)
        self.first_byte_ns = int(limits.first_byte_s * 1e9)
        self.idle_ns = int(limits.idle_s * 1e9)
        self.ping_ns = int(limits.ping_s * 1e9)
        base = url.path.rstrip("/").removesuffix("/v1")
        key = resolve_refs(endpoint.api_key, os.environ)
        auth = f"authorization: Bearer {key}" if endpoint.auth == "bearer" else f"x-api-key: {key}"
        fixed = f"host: {url.netloc.rpartition('@')[2]}\r\n{auth}\r\naccept-encoding: identity\r\n"
        self._begin = {route: f"POST {base}{path}".encode() for route, path in PATHS.items()}
        self._fixed = f" HTTP/1.1\r\n{fixed}".encode()
        self._version = f"anthropic-version: {endpoint.anthropic_version}\r\n".encode()

    def head(self, route: str, query: str, lines: bytes, has_version: bool, length: int) -> bytes:
        """The request head: our own framing, the client's allowed lines, the endpoint's version where none was sent."""
        if self.endpoint.pin_version and has_version:
            kept = lines.split(b"\r\n")
            lines = b"\r\n".join(line for line in kept if not line.startswith(b"anthropic-version:"))
            has_version = False
        return b"%b%b%b%b%bcontent-length: %d\r\n\r\n" % (
            self._begin[route],
            b"?" + query.encode() if query else b"",
            self._fixed,
            b"" if has_version else self._version,
            lines,
            length,
        )

    def take(self) -> Pump | None:
        """An idle connection that can serve, or None."""
        oldest_ns = mono_ns() - self._keepalive_ns
        while self._idle:
            pump = self._idle.pop()
            if pump.usable:
                if pump.last_ns >= oldest_ns:
                    return pump
                pump.abort()
        return None

    def give(self, pump: Pump) -> None:
        """Take a connection back after its exchange; one that cannot serve again is already closed."""
        if not pump.usable:
            return
        if self.retired or len(self._idle) >= IDLE_CONNECTIONS_MAX:
            pump.abort()
        else:
            self._idle.append(pump)

    def sweep(self) -> None:
        """Close connections that have been idle for longer than `limits.keepalive_s`."""
        oldest_ns = mono_ns() - self._keepalive_ns
        keep = []
        for pump in self._idle:
            if not pump.usable:
                continue
            if self.retired or pump.last_ns < oldest_ns:
                pump.abort()
            else:
                keep.append(pump)
        self._idle[:] = keep

    async def dial(self) -> Pump:
        """A new connection; GatewayError (connect, connect_timeout) when the endpoint cannot be reached in time."""
        try:
            async with asyncio.timeout(self.limits.connect_s):
                _, pump = await self.loop.create_connection(self._made, self.host, self.port, ssl=self._ssl)  # type: ignore[type-var]  # a protocol by shape
        except TimeoutError:
            raise endpoint_down(
                Kind.CONNECT_TIMEOUT, f"Endpoint {self.endpoint.name} did not accept a connection in time."
            ) from None
        except OSError as exc:
            reason = exc.strerror or type(exc).__name__
            raise endpoint_down(Kind.CONNECT, f"Endpoint {self.endpoint.name} cannot be reached ({reason}).") from None
        return pump

    def _made(self) -> Pump:
        return Pump(self.loop)


class Upstreams:
    """The pools of every endpoint in force. A pool outlives a reload when its endpoint did not change."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._pools: dict[str, Pool] = {}

    def adopt(self, snapshot: Snapshot) -> None:
        """Make pools for new endpoints; the idle connections of endpoints that are gone close."""
        pools = {}
        for endpoint in snapshot.endpoints:
            pool = self._pools.get(endpoint.name)
            if pool is None or pool.endpoint != endpoint or pool.limits != snapshot.limits:
                pool = Pool(self.loop, endpoint, snapshot.limits)
            pool.endpoint = endpoint
            pools[endpoint.name] = pool
        for pool in self._pools.values():
            if pools.get(pool.endpoint.name) is not pool:
                pool.retired = True
                pool.sweep()
        self._pools = pools

    def pool(self, endpoint: Endpoint, limits: Limits) -> Pool:
        """The endpoint's pool; a call that began under an older snapshot gets one of its own."""
        pool = self._pools.get(endpoint.name)
        if pool is None or pool.endpoint is not endpoint:
            pool = Pool(self.loop, endpoint, limits)
            pool.retired = True
        return pool

    def sweep(self) -> None:
        for pool in self._pools.values():
            pool.sweep()
