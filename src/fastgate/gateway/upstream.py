"""Connections to endpoints: a keep-alive pool each (connections.py), dialling with deadlines and TLS.

What an endpoint wants on the wire is its `wire` (fastgate.providers). Knows nothing of callers, prices or retries.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastgate._core.pump import Pump
from fastgate.clock import mono_ns
from fastgate.errors import Kind, endpoint_down
from fastgate.gateway.connections import Connections, Pools
from fastgate.providers.kinds import wire_of
from fastgate.routing.router import breaker_name, label_of, pace_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fastgate.call import Candidate
    from fastgate.gateway.rates import Rates
    from fastgate.routing.health import HealthTable
    from fastgate.snapshot import Endpoint, Limits, Snapshot


class Pool(Connections):
    """The connections of one endpoint, and how to make another."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, endpoint: Endpoint, limits: Limits, health: HealthTable
    ) -> None:
        breaker = health.breaker(breaker_name(endpoint))
        pace = health.breaker(pace_name(endpoint)) if endpoint.key else breaker
        super().__init__(endpoint, limits, wire_of(endpoint), breaker, pace)
        self.loop = loop
        self.limits = limits
        url = urlsplit(endpoint.base_url)
        tls = url.scheme == "https"
        self.host = url.hostname or ""
        self.port = url.port or (443 if tls else 80)
        self._ssl = ssl.create_default_context(cafile=endpoint.ca_file or None) if tls else None

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


class Upstreams(Pools):
    """The pools of every endpoint in force. A pool outlives a reload when its endpoint did not change."""

    def __init__(self, loop: asyncio.AbstractEventLoop, health: HealthTable) -> None:
        super().__init__()
        self.loop = loop
        self.health = health

    def adopt(self, snapshot: Snapshot, rates: Rates) -> None:
        """Make pools for new endpoints; the idle connections of endpoints that are gone close."""
        pools = {}
        for endpoint in snapshot.endpoints:
            label = label_of(endpoint)
            pool = self._pools.get(label)
            if pool is None or pool.endpoint != endpoint or pool.limits != snapshot.limits:
                pool = Pool(self.loop, endpoint, snapshot.limits, self.health)
            pool.endpoint = endpoint
            pool.gate = rates.gate("endpoint", label, endpoint.limits)
            pools[label] = pool
        for pool in self._pools.values():
            if pools.get(pool.label) is not pool:
                pool.retired = True
                pool.sweep()
        self._pools = pools
        self._found = None

    def pool(self, endpoint: Endpoint, limits: Limits) -> Pool:
        """The endpoint's pool; a call that began under an older snapshot gets one of its own."""
        pool = self.find(endpoint)
        if pool is None:
            pool = Pool(self.loop, endpoint, limits, self.health)
            pool.retired = True
        return pool

    def ordered(self, plan: list[Candidate], down: set[str]) -> Iterable[Candidate]:
        """The candidates of one round: those whose endpoints are healthy first, the others after them. Each is looked
        at when its turn has come: a probe is promised to a call that makes it, and `down`, the endpoints that failed
        in this round whichever the key, is filled while it goes on."""
        if len(plan) == 1:
            return plan
        return self._healthy_first(plan, down)

    def _healthy_first(self, plan: list[Candidate], down: set[str]) -> Iterator[Candidate]:
        others: list[Candidate] = []
        for candidate in plan:
            pool = self._pools.get(label_of(candidate[0]))
            if candidate[0].name not in down and (pool is None or pool.breaker.allows(mono_ns())):
                yield candidate
            else:
                others.append(candidate)
        yield from others

    def sweep(self) -> None:
        """Once a second: close what is idle for too long, renew credentials ahead of their end."""
        for pool in self._pools.values():
            pool.sweep()
            if pool.wire.credential is not None:
                pool.wire.credential.tend()
