"""Every outcome of a call under budgets is charged right, by the upstream's own log: what it stated to the nano-dollar,
what was broken off between what was seen and what was held, what is free nothing. Afterwards nothing is held.

Two gateways: one endpoint, where calls go the plain way, and two endpoints with a cache. Each case has a session of its
own, whose cell of one budget shows what it was charged.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from fastgate._core.request import read_request
from fastgate._core.usage import Usage
from fastgate.bound import bound_nano
from fastgate.sim.behaviour import Behaviour
from tests.support.admin import ask, until
from tests.support.burst import BOOK, billed, cost_of
from tests.support.gateway import PROVIDER_KEY, Gateway, serving
from tests.support.money import Ledger, session_request
from tests.support.plane import LIMITS
from tests.support.raw import dechunk, exchange
from tests.support.raw import post as head_and_body
from tests.support.sim import Call, SimProcess, running

MODEL = "claude-haiku-5-5"
UNKNOWN = "claude-nova-9"
MAX_TOKENS = 400

PAUSE = "stages: [{at: 1.0, do: pause}]"
BUDGETS = f"""\
budgets:
  - {{id: wide, level: org, of: acme, period: month, usd: 100000}}
  - {{id: each, level: tag, of: "session=*", org: acme, period: total, usd: 50}}
  - {{id: empty, level: tag, of: "session=empty", org: acme, period: total, usd: 0.000001, {PAUSE}}}
"""

TALKS = {"tokens": 60, "gap_ms": 2}


@dataclass(frozen=True)
class Case:
    """Calls of one session, streamed or not, the upstream's behaviours in their order, and the statuses clients see.
    `leaves`: the client goes away in the middle. `billed`: how many calls of it the upstream bills something for."""

    name: str
    do: tuple[Behaviour, ...] = ()
    streams: tuple[bool, ...] = (True,)
    statuses: tuple[int, ...] = (200,)
    billed: int = 1
    model: str = MODEL
    leaves: bool = False
    path: str = "/v1/messages"
    text: str = ""
    only_with_all: bool = False

    @property
    def session(self) -> str:
        return self.name.replace(" ", "-")

    @property
    def body(self) -> bytes:
        return session_request(self.session, self.text or self.name, MAX_TOKENS, self.model, stream=False)


def forms(name: str, *do: Behaviour, status: int = 200, billed: int = 1) -> tuple[Case, Case]:
    """The case as a stream and as a whole answer."""
    return (
        Case(f"{name} streamed", do, (True,), (status,), billed),
        Case(f"{name} whole", do, (False,), (status,), billed),
    )


CASES = (
    *forms("a good answer", Behaviour(tokens=30)),
    *forms("a refusal", Behaviour(status=400), status=400, billed=0),
    *forms("an error then an answer", Behaviour(status=529)),
    *forms("usage that is missing", Behaviour(usage_form="missing", tokens=30)),
    *forms("usage below zero", Behaviour(usage_raw='{"output_tokens":-5}', tokens=30)),
    *forms("usage that is no object", Behaviour(usage_raw='"lots"', tokens=30)),
    *forms("usage that no model can reach", Behaviour(usage_raw='{"output_tokens":1e30}', tokens=30)),
    Case("usage stated twice", (Behaviour(usage_form="twice", tokens=30),)),
    Case("usage at the start only", (Behaviour(usage_form="start-only", tokens=30),)),
    Case("a client that leaves", (Behaviour(tokens=200, gap_ms=30),), leaves=True),
    Case("a stream that is reset", (Behaviour(cut="rst", cut_event=8, **TALKS),)),
    Case("a stream that is closed", (Behaviour(cut="fin", cut_event=8, **TALKS),)),
    Case("a stream that ends early", (Behaviour(cut="clean", cut_event=8, **TALKS),)),
    Case("an error after tokens", (Behaviour(error_at=8, error_type="overloaded_error", **TALKS),)),
    Case("an error as the first event", (Behaviour(error_at=0, error_type="overloaded_error"),), billed=1),
    Case("a cut before content then an answer", (Behaviour(cut="rst", cut_event=2, gap_ms=20),), billed=2),
    Case(
        "a replay that is not streamed",
        (Behaviour(cut="rst", cut_event=8, **TALKS), Behaviour(tokens=60)),
        (True, False), (200, 200), 2,
    ),
    Case("a model without a price", (Behaviour(tokens=30),), model=UNKNOWN),
    Case("counting tokens", (), (False,), (200,), 0, path="/v1/messages/count_tokens"),
    Case("empty", (), (False, False), (429, 429), 0),
    Case("the same question twice", (Behaviour(tokens=30),), (False, False), (200, 200), 1, only_with_all=True),
    Case("a stream given again", (Behaviour(tokens=30),), (True, True), (200, 200), 1, only_with_all=True),
)  # fmt: skip


@dataclass
class House:
    gateway: Gateway
    simulator: SimProcess
    ledger: Ledger
    all: bool
    statuses: dict[str, list[int]] = field(default_factory=dict)
    received: dict[str, int] = field(default_factory=dict)
    """Tokens of text that the client that left had got."""

    @property
    def port(self) -> int:
        return int(self.gateway.url.rpartition(":")[2])

    def calls(self, session: str) -> list[Call]:
        """The upstream's log of a session; a count is none of its bills."""
        return [call for call in self.simulator.calls() if call.started.session == session]

    def play(self, case: Case) -> None:
        for behaviour in case.do:
            self.simulator.script(behaviour, session=case.session, n=1)
        self.statuses[case.name] = [asyncio.run(self.send(case, stream)) for stream in case.streams]

    async def send(self, case: Case, stream: bool) -> int:
        """One call to the end of what comes, or until its client leaves."""
        body = json.loads(case.body) | {"stream": stream}
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            request = head_and_body(body, case.path, x_api_key=self.gateway.key, connection="close")
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            data = b""
            while piece := await reader.read(1 << 16):
                data += piece
                if case.leaves and data.count(b"content_block_delta") > 8:
                    break
        finally:
            writer.transport.abort()
        if case.leaves:
            self.received[case.name] = len(text_of(dechunk(data))) // 4
        return int(head.split()[1])


def text_of(stream: bytes) -> str:
    """What whole text events of a stream say."""
    lines = [line[6:] for line in stream.split(b"\n")[:-1] if line.startswith(b"data: {") and line.endswith(b"}")]
    events = [json.loads(line) for line in lines]
    return "".join(event["delta"]["text"] for event in events if event["type"] == "content_block_delta")


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "with-cache-and-two-endpoints"])
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Every case played, everything charged."""
    with running(tmp_path_factory.mktemp("sim")) as simulator:
        spare = f'  - {{name: spare, kind: anthropic, base_url: "{simulator.url}", api_key: {PROVIDER_KEY}}}\n'
        more = spare + "cache: {exact: {enabled: true, ttl_s: 3600}}\n" if request.param else ""
        folder = tmp_path_factory.mktemp("gw")
        with serving(folder, simulator.url, 1, more=more, budgets=BUDGETS) as gateway:
            played = House(gateway, simulator, Ledger(gateway), request.param)
            for case in CASES:
                if played.all or not case.only_with_all:
                    played.play(case)
            until(lambda: all(call.ended for call in simulator.calls()), 5, "the upstream is done")
            until(lambda: charged_all(played), 8, "everything is charged and given back")
            yield played


def charged_all(played: House) -> bool:
    """Whether counting has caught up: nothing is leased, and the last case stands in its cell."""
    return not played.ledger.leased() and sum(played.ledger.cells("each").values()) == played.ledger.spent()["wide"] > 0


@pytest.mark.promise("P-06", bound="under budgets: charged between what the upstream told and what was held")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.session)
def test_an_outcome_is_charged_right(house: House, case: Case) -> None:
    if case.only_with_all and not house.all:
        assert case.name not in house.statuses, "without a cache there is nothing to give again"
        return
    assert house.statuses[case.name] == list(case.statuses)
    calls = house.calls(case.session)
    charges = [charge(call, case, house) for call in calls]
    least, most = sum(low for low, _ in charges), sum(high for _, high in charges)
    spent = house.ledger.cells("each").get(case.session, 0)
    print(f"{case.name}: {least} <= {spent} <= {most}")
    assert least <= spent <= most
    assert (spent > 0) == (case.billed > 0), "what is not known is never zero, what is free is nothing"
    assert sum(high > 0 for _, high in charges) == case.billed


def charge(call: Call, case: Case, house: House) -> tuple[int, int]:
    """The least and the most that one call of the upstream's log may be charged."""
    assert call.ended is not None
    row, did, told = BOOK.row("anthropic", call.started.model), call.started.behaviour, call.ended.told
    if call.started.status >= 400 or did.get("error_at") == 0:
        return 0, 0  # refused: no provider bills that
    held = bound_nano(read_request(case.body), row, MAX_TOKENS, LIMITS)
    if call.ended.outcome == "client_gone":
        output = min(told.output_tokens, house.received[case.name])
        assert output > 0
        return row.cost(Usage.of(input_tokens=told.input_tokens, output_tokens=output)), held
    unstated = did.get("usage_raw") or did.get("usage_form") in ("missing", "start-only")
    if call.ended.outcome == "cut" or "error_at" in did or unstated:
        return cost_of(row, told), held
    return (billed([call]),) * 2


def test_all_of_it_together_is_on_every_budget(house: House) -> None:
    assert sum(house.ledger.cells("each").values()) == house.ledger.spent()["wide"]
    assert house.ledger.leased() == 0


def test_counting_tokens_is_free_and_goes_on_under_a_budget_that_pays_for_nothing(house: House) -> None:
    """CONTRACT: free, never capped."""
    before = house.ledger.spent()
    body = session_request("empty", "hello", MAX_TOKENS, MODEL)
    status, headers, _ = ask(house.gateway.url, "POST", "/v1/messages", body, x_api_key=house.gateway.key)
    assert (status, headers["x-should-retry"]) == (429, "false")
    counted = json.loads(body)
    del counted["max_tokens"]
    raw = json.dumps(counted).encode()
    for _ in range(3):
        path = "/v1/messages/count_tokens"
        status, headers, data = ask(house.gateway.url, "POST", path, raw, x_api_key=house.gateway.key)
        assert (status, headers["x-fastgate-cost"]) == (200, "0.000000000"), data
        assert json.loads(data)["input_tokens"] > 0
    assert house.ledger.spent() == before


def test_a_call_that_is_sent_again_with_its_idempotency_key_is_another_call(house: House) -> None:
    """The key is the provider's: it travels, and what the provider bills twice is charged twice, also at once."""
    session = "again"
    body = head_and_body(
        json.loads(session_request(session, "again", MAX_TOKENS, MODEL)),
        x_api_key=house.gateway.key,
        idempotency_key="key-1",
        x_fastgate_cache="bypass",
    )

    async def thrice() -> list[int]:
        first = await exchange(house.port, body)
        both = await asyncio.gather(exchange(house.port, body), exchange(house.port, body))
        return [reply.status for reply in (first, *both)]

    assert asyncio.run(thrice()) == [200] * 3
    calls = house.calls(session)
    assert [call.header("idempotency-key") for call in calls] == ["key-1"] * 3
    until(lambda: house.ledger.cells("each").get(session) == billed(calls), 8, "each is charged")
