"""A stream that has begun is never cut by a budget: Claude Code would send the whole turn again.

Each stream runs while something ends its budget: other calls use it up, a stage pauses it, somebody pauses it by hand,
lowers or removes it. It ends whole and is charged whole; what comes next is refused. The oracle is the upstream's log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.support.admin import admin, until
from tests.support.burst import Answer, billed, post, until_decided
from tests.support.gateway import Gateway, serving
from tests.support.money import Ledger, said, session_request
from tests.support.raw import Reply
from tests.support.raw import post as head_and_body
from tests.support.sim import Call, SimProcess, running

HAIKU = "claude-haiku-5-5"
TOKENS = 120
GAP_MS = 50
"""A text event has 4 tokens: 30 events, 1.5 s in which its budget ends."""

WITHIN_S = 1.2
"""A second, and what a busy machine takes to answer the call that finds out."""

CONFIG = "limits: {budget_wait_ms: 100}\n"

LAST_CHUNK = b"\r\n0\r\n\r\n"

SOFT = "mode: soft, stages: [{at: 0.5, do: pause}]"
PAUSE = "stages: [{at: 1.0, do: pause}]"


def budget(name: str, usd: str, more: str = PAUSE) -> str:
    return f'  - {{id: {name}, level: tag, of: "session={name}", org: acme, period: day, usd: {usd}, {more}}}\n'


BUDGETS = "budgets:\n" + "".join(
    (
        budget("used-up", "0.0007"),
        budget("by-stage", "0.0001", SOFT),
        budget("by-hand", "10"),
    )
)


@dataclass
class House:
    gateway: Gateway
    simulator: SimProcess
    ledger: Ledger

    @property
    def port(self) -> int:
        return int(self.gateway.url.rpartition(":")[2])

    def calls(self, session: str) -> list[Call]:
        return [call for call in self.simulator.settled(1) if call.started.session == session]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with (
        running(tmp_path_factory.mktemp("sim")) as simulator,
        serving(tmp_path_factory.mktemp("gw"), simulator.url, 1, more=CONFIG, budgets=BUDGETS) as gateway,
    ):
        yield House(gateway, simulator, Ledger(gateway))


def long_stream(session: str) -> bytes:
    text = f"[[sim:text tokens={TOKENS} gap_ms={GAP_MS}]]"
    return session_request(session, text, 300, HAIKU, stream=True)


async def running_while(house: House, session: str, ends: Callable[[], None]) -> tuple[Reply, Answer]:
    """A stream during which the budget ends, and the first call that was refused while it ran."""
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    try:
        writer.write(head_and_body(long_stream(session), x_api_key=house.gateway.key))
        begun = await reader.readuntil(b"content_block_delta")
        rest = asyncio.create_task(reader.readuntil(LAST_CHUNK))
        await asyncio.to_thread(ends)
        refused = await asyncio.wait_for(first_refused(house.port, session), WITHIN_S)
        assert not rest.done(), "the stream was over before its budget was: nothing is shown"
        return Reply(begun + await rest), refused  # IncompleteReadError where it was cut
    finally:
        writer.close()


async def first_refused(port: int, session: str) -> Answer:
    while (answer := await post(port, session_request(session, "hello", 200, HAIKU))).status != 429:
        await asyncio.sleep(0.02)
    return answer


def whole(reply: Reply) -> None:
    """Every token that the upstream meant to send, the end, and our line after it."""
    assert reply.status == 200
    kinds = [kind for kind, _ in reply.events()]
    assert kinds[0] == "message_start" and kinds[-1] == "message_stop" and "error" not in kinds
    text = "".join(data["delta"]["text"] for kind, data in reply.events() if kind == "content_block_delta")
    assert len(text) == 4 * TOKENS


def test_of_a_budget_that_others_use_up(house: House) -> None:
    """The stream holds 300 tokens of output; calls beside it spend the rest until the gateway says no."""
    spends = session_request("used-up", "[[sim:text tokens=190]]", 200, HAIKU)

    def use_up() -> None:
        while asyncio.run(post(house.port, spends)).status == 200:
            pass

    reply, refused = asyncio.run(running_while(house, "used-up", use_up))
    whole(reply)
    assert refused.error[0] == "rate_limit_error", "only the stream holds the rest"
    final = asyncio.run(until_decided(house.port, session_request("used-up", "hello", 2_000, HAIKU)))
    assert final.error[0] == "billing_error"
    charged(house, "used-up", reply)


def test_of_a_budget_that_its_own_stage_pauses(house: House) -> None:
    reply, refused = asyncio.run(running_while(house, "by-stage", lambda: None))
    whole(reply)
    assert refused.error[0] == "billing_error" and "paused" in refused.error[1]
    charged(house, "by-stage", reply)


def test_of_a_budget_that_is_paused_by_hand(house: House) -> None:
    row = {"level": "tag", "of": "session=by-hand", "reason": "a runaway agent"}

    def pause() -> None:
        assert admin(house.gateway, "POST", "/pauses", row)[0] == 201

    reply, refused = asyncio.run(running_while(house, "by-hand", pause))
    whole(reply)
    assert refused.error[0] == "billing_error" and "a runaway agent" in refused.error[1]
    charged(house, "by-hand", reply)


def test_of_a_budget_that_is_lowered_below_what_the_stream_holds(house: House) -> None:
    row = {"level": "tag", "of": "session=lowered", "org": "acme", "period": "day", "usd": "10"}
    stages = [{"at": "1", "do": "pause"}]

    def put(usd: str) -> None:
        assert admin(house.gateway, "PUT", "/budgets/lowered", {**row, "usd": usd, "stages": stages})[0] == 200

    put("10")
    first = asyncio.run(until_bound(house, "lowered"))
    assert first.status == 200
    reply, refused = asyncio.run(running_while(house, "lowered", lambda: put("0.000001")))
    whole(reply)
    assert refused.status == 429
    final = asyncio.run(until_decided(house.port, session_request("lowered", "hello", 200, HAIKU)))
    assert final.error[0] == "billing_error" and "lowered" in final.error[1]
    charged(house, "lowered", reply)


async def until_bound(house: House, session: str) -> Answer:
    """Call until the worker knows the budget."""
    while True:
        answer = await post(house.port, session_request(session, "hello", 200, HAIKU))
        if answer.headers.get("x-fastgate-budget", "").startswith(session):
            return answer


def charged(house: House, session: str, reply: Reply) -> None:
    """The stream at its own price, and its budget at that of all its calls."""
    calls = house.calls(session)
    streams = [call for call in calls if call.started.stream]
    assert [call.ended and call.ended.outcome for call in streams] == ["complete"]
    assert streams[0].started.usage.output_tokens == TOKENS
    assert said(reply) == billed(streams), "charged otherwise than the upstream bills"
    until(lambda: house.ledger.at_rest(session) == billed(calls), 5, "the counters are the upstream's log")
