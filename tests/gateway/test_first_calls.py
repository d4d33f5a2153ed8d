"""What peers let pass: first calls of somebody new, seats beside a pool, and requests that name an upstream of their
own. One gateway of two workers; each test has sessions of its own."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator

import pytest

from fastgate._core.request import read_request
from fastgate.bound import bound_nano
from tests.support.admin import ask, until
from tests.support.burst import BOOK, MODEL, Answer, Probe, billed, post, until_decided
from tests.support.gateway import KEY, PROVIDER_KEY, Gateway, serving
from tests.support.plane import LIMITS
from tests.support.sim import SimProcess

MAX_TOKENS = 200
WORTH = 3
"""Calls that the budget of one new session pays for."""
AT_ONCE = 8


def body(session: str, model: str = MODEL, **more: object) -> bytes:
    request = {
        "model": model,
        "max_tokens": MAX_TOKENS,
        "messages": [{"role": "user", "content": "[[sim:text tokens=150]]"}],
        "metadata": {"user_id": json.dumps({"session_id": session})},
    }
    return json.dumps(request | more).encode()


BOUND = bound_nano(read_request(body("session-0")), BOOK.row("anthropic", MODEL), MAX_TOKENS, LIMITS)

PAUSE = "stages: [{at: 1.0, do: pause}]"
BUDGETS = f"""\
budgets:
  - {{id: one-session, level: tag, of: "session=*", org: acme, period: total, usd: {WORTH * BOUND / 1e9:.9f}, {PAUSE}}}
  - {{id: seats, level: team, of: platform, period: day, usd: 0.00001, per_seat: true, models: [opus], {PAUSE}}}
  - {{id: pool, level: team, of: platform, period: day, usd: 0.00001, models: [haiku], {PAUSE}}}
  - {{id: pool-of-all, level: team, of: platform, period: day, usd: 1000, models: [opus], {PAUSE}}}
"""

ROUTING = "routing: {cascade_on: [throttled]}\n"
"""A budget that is used up refuses here, and sends nobody to a cheaper model."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, upstream: SimProcess) -> Iterator[Gateway]:
    with serving(tmp_path_factory.mktemp("gw"), upstream.url, 2, more=ROUTING, budgets=BUDGETS) as served:
        yield served


def port(gateway: Gateway) -> int:
    return int(gateway.url.rpartition(":")[2])


async def at_once(gateway: Gateway, *sessions: str) -> list[Answer]:
    calls = (until_decided(port(gateway), body(session)) for _ in range(AT_ONCE) for session in sessions)
    return await asyncio.gather(*calls)


@pytest.mark.promise("P-02", bound="8 first calls at once of a session that nobody knows, over 2 workers")
def test_the_first_calls_of_somebody_new_are_held_to_the_default(gateway: Gateway, upstream: SimProcess) -> None:
    with Probe(gateway.directory / "fastgate-data" / "counters.sqlite", "one-session") as probe:
        answers = asyncio.run(at_once(gateway, "session-1", "session-2"))
    spent = probe.at_rest()
    assert {answer.status for answer in answers} == {200, 429}
    calls = upstream.settled(sum(answer.status == 200 for answer in answers))
    assert spent == billed(calls)
    for session in ("session-1", "session-2"):
        cost = billed([call for call in calls if call.started.session == session])
        assert 0 < cost <= WORTH * BOUND, "each has a ceiling of its own"


def test_seats_and_a_pool_bind_together(gateway: Gateway) -> None:
    seat = asyncio.run(post(port(gateway), body("session-3", "claude-opus-5-5")))
    pool = asyncio.run(post(port(gateway), body("session-4", "claude-haiku-5-5")))
    assert (seat.status, pool.status) == (429, 429)
    assert "Budget seats (each member of team platform) is exhausted" in seat.error[1]
    assert "Budget pool (team platform) is exhausted" in pool.error[1]
    assert asyncio.run(post(port(gateway), body("session-5"))).status == 200


def test_no_request_chooses_its_upstream_or_sees_our_key(gateway: Gateway, upstream: SimProcess) -> None:
    with socket.create_server(("127.0.0.1", 0)) as trap:
        elsewhere = f"http://127.0.0.1:{trap.getsockname()[1]}"
        fields = dict.fromkeys(("api_base", "base_url", "endpoint", "custom_llm_provider", "user_config"), elsewhere)
        names = ("x-forwarded-host", "x-upstream", "x-api-base", "forwarded", "x-original-url", "x-fastgate-endpoint")
        headers = {name.replace("-", "_"): elsewhere for name in names}
        told = f"/v1/messages?api_base={elsewhere}&base_url={elsewhere}"
        before = len(upstream.calls())
        for data, path, more in (
            (body("session-6", **fields), "/v1/messages", {}),
            (body("session-7"), told, {}),
            (body("session-8"), "/v1/messages", headers),
        ):
            status, _, raw = ask(gateway.url, "POST", path, data, x_api_key=KEY, **more)
            assert status == 200, raw
        until(lambda: len(upstream.calls()) == before + 3, 5, "all went where the configuration says")
        trap.settimeout(0.2)
        with pytest.raises(TimeoutError):
            trap.accept()
    for call in upstream.calls()[before:]:
        assert elsewhere not in json.dumps(call.started.headers)
        assert PROVIDER_KEY in json.dumps(call.started.headers) and KEY not in json.dumps(call.started.headers)


def test_where_what_was_spent_cannot_be_read_nobody_is_called_a_stranger(gateway: Gateway) -> None:
    """Peers answered 401 when their database was away. Ours says what it is, and clients wait. The last test: what was
    spent cannot be read any more."""
    counters = gateway.directory / "fastgate-data" / "counters.sqlite"
    for path in (counters, counters.with_name("counters.sqlite-wal"), counters.with_name("counters.sqlite-shm")):
        if path.exists():
            path.write_bytes(b"not a database".ljust(8192, b"\0"))
    answer = asyncio.run(post(port(gateway), body("session-9")))
    assert (answer.status, answer.error[0]) == (503, "overloaded_error"), answer.body
    assert "retry-after" in answer.headers
