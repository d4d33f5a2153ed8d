"""The idle connections of one endpoint: taken, given back, closed when they are old. What is told of an exchange there.

Compiled with types (connections.pxd): every exchange passes here twice. How a connection is made is upstream.py's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastgate._core.clock import mono_ns
from fastgate.routing.router import label_of

if TYPE_CHECKING:
    from fastgate._core.pump import Pump
    from fastgate._core.rates import Gate
    from fastgate.gateway.upstream import Pool
    from fastgate.providers.wire import Wire
    from fastgate.routing.health import Breaker
    from fastgate.snapshot import Endpoint, Limits

IDLE_CONNECTIONS_MAX = 1024
"""Idle connections kept to one endpoint and worker; what a full worker of short calls leaves behind."""


class Connections:
    """Those of one endpoint, newest first."""

    endpoint: Endpoint
    wire: Wire
    breaker: Breaker
    pace: Breaker
    gate: Gate | None
    """The limits of the endpoint's key, where it has some."""
    label: str
    retired: bool
    _idle: list[Pump]

    def __init__(self, endpoint: Endpoint, limits: Limits, wire: Wire, breaker: Breaker, pace: Breaker) -> None:
        self.endpoint = endpoint
        self.wire = wire
        self.breaker = breaker
        self.pace = pace
        self.gate = None
        self.label = label_of(endpoint)
        self.retired = False
        self._idle = []
        self._keepalive_ns = int(limits.keepalive_s * 1e9)
        self.first_byte_ns = int(limits.first_byte_s * 1e9)
        self.idle_ns = int(limits.idle_s * 1e9)
        self.ping_ns = int(limits.ping_s * 1e9)
        self.hold_ns = int(limits.hold_s * 1e9)

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


class Pools:
    """The pools of every endpoint in force, by label."""

    _pools: dict[str, Pool]
    _found: Pool | None
    """The one that was asked for last."""

    def __init__(self) -> None:
        self._pools = {}
        self._found = None

    def find(self, endpoint: Endpoint) -> Pool | None:
        """The endpoint's pool, or None for an endpoint of an older snapshot."""
        pool = self._found
        if pool is None or pool.endpoint is not endpoint:
            pool = self._pools.get(label_of(endpoint) if endpoint.key else endpoint.name)
            if pool is None or pool.endpoint is not endpoint:
                return None
            self._found = pool
        return pool
