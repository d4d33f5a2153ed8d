"""What the end-to-end tests share: one gateway a module, and the two ways to reach the scripted upstream.

Every test of a client runs twice: straight at the upstream, which shows that the client and the double behave as
recorded, and through the gateway, which must make no difference but those that are written in the test.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.claude import Claude
from tests.support.gateway import PROVIDER_KEY, Gateway, serving
from tests.support.sim import Call, SimProcess

DIRECT_KEY = "sk-test-direct-0123456789abcdef0123456789"


@dataclass
class Route:
    """How a client reaches the upstream. `calls` are the Messages calls that arrived there during this test."""

    upstream: SimProcess
    url: str
    key: str
    gateway: Gateway | None

    @property
    def direct(self) -> bool:
        return self.gateway is None

    def calls(self, count: int) -> list[Call]:
        """The calls of this test, which must be exactly so many once all have ended."""
        calls = self.upstream.settled(count)
        assert len(calls) == count, [(call.started.stream, call.started.status, call.started.turn) for call in calls]
        return calls


ONE_ATTEMPT = "limits: {attempts: 1}\n"
"""What a client does about a provider's failure is the client's own, as long as the gateway does nothing about it."""


@pytest.fixture(scope="module")
def gateway(upstream: SimProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with serving(tmp_path_factory.mktemp("gateway"), upstream.url, more=ONE_ATTEMPT, guarded=True) as running_gateway:
        yield running_gateway


@pytest.fixture
def through(upstream: SimProcess, gateway: Gateway) -> Iterator[Route]:
    """The way through the gateway alone, for what only it does."""
    upstream.fresh()
    yield Route(upstream, gateway.url, gateway.key, gateway)
    upstream.unscript()


@pytest.fixture(params=["direct", "fastgate"])
def route(request: pytest.FixtureRequest, upstream: SimProcess) -> Iterator[Route]:
    upstream.fresh()
    if request.param == "direct":
        yield Route(upstream, upstream.url, DIRECT_KEY, None)
    else:
        gateway: Gateway = request.getfixturevalue("gateway")
        yield Route(upstream, gateway.url, gateway.key, gateway)
    upstream.unscript()


@pytest.fixture
def claude(route: Route, tmp_path: Path) -> Claude:
    return Claude(tmp_path, route.url, {"ANTHROPIC_API_KEY": route.key})


def assert_credential(route: Route, call: Call, *, bearer: bool) -> None:
    """Straight, the client's credential arrives as it was sent; through the gateway only the gateway's own does."""
    if route.direct:
        assert call.header("authorization" if bearer else "x-api-key").endswith(route.key)
        return
    assert route.key not in str(call.started.headers)
    assert PROVIDER_KEY in call.header("x-api-key") + call.header("authorization")
