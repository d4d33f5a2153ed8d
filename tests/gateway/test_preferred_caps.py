"""A request's `models` under budgets: a cap holds for every model that is tried, and what failed is charged once.

Sonnet's only endpoint is away. The upstream's own log is what a budget may have been charged.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.load.ports import free_port
from fastgate.sim.behaviour import Behaviour
from tests.gateway.test_budgets import HAIKU, OPUS, PAUSE, SONNET, House
from tests.support import gateway
from tests.support.admin import until
from tests.support.burst import billed
from tests.support.gateway import serving
from tests.support.sim import running

BEGUN = Behaviour(error_at=1, error_type="api_error")
"""A stream that fails after its first event, which states the input: it is paid for."""

ENDPOINTS = """\
endpoints:
  - {{{{name: up, kind: anthropic, base_url: "{{upstream}}", api_key: {{provider_key}}, models_only: true,
      models: {{{{{opus}: {opus}, {haiku}: {haiku}}}}}}}}}
  - {{{{name: dead, kind: anthropic, base_url: "http://127.0.0.1:{dead}", api_key: provider-key, models_only: true,
      models: {{{{{sonnet}: {sonnet}}}}}}}}}
"""
CONFIG = """\
routing: {models: [alice-*]}
limits: {budget_wait_ms: 400, min_output_tokens: 200, attempts: 2, retry_s: 3}
"""
BUDGETS = f"""\
budgets:
  - {{id: wide, level: org, of: acme, period: month, usd: 100000, mode: hard}}
  - {{id: full, level: tag, of: "session=full", org: acme, period: day, usd: 0.00001, models: [haiku], {PAUSE}}}
  - {{id: haikus, level: tag, of: "session=other", org: acme, period: day, usd: 50, models: [haiku], {PAUSE}}}
  - id: soft
    level: tag
    of: "session=soft"
    org: acme
    period: day
    usd: 10
    mode: soft
    models: [haiku]
    stages: [{{at: 0.00001, do: pause}}]
"""
UNBUDGETED = BUDGETS.replace(BUDGETS.splitlines(keepends=True)[1], "")
"""The same without the organisation's: no budget is about Opus."""


@pytest.fixture(scope="module", params=[BUDGETS, UNBUDGETED], ids=["budgeted", "unbudgeted"])
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    endpoints = ENDPOINTS.format(opus=OPUS, haiku=HAIKU, sonnet=SONNET, dead=free_port())
    with pytest.MonkeyPatch.context() as patch, running(tmp_path_factory.mktemp("sim")) as simulator:
        patch.setattr(gateway, "CONFIG", gateway.CONFIG.partition("endpoints:")[0] + endpoints)
        with serving(tmp_path_factory.mktemp("gw"), simulator.url, more=CONFIG, budgets=request.param) as served:
            made = House(served, simulator)
            for _ in range(6):  # until the breaker of Sonnet's endpoint is open
                assert made.send("warm", model=SONNET).status == 529
            yield made


def models(house: House, session: str) -> list[str]:
    return [call.started.model for call in house.simulator.calls() if call.started.session == session]


@pytest.mark.parametrize("names", [[HAIKU], [SONNET, HAIKU]], ids=["next", "over one that is away"])
@pytest.mark.parametrize("session", ["full", "other"])
def test_what_a_failed_attempt_has_cost_is_never_on_another_models_budget(
    house: House, session: str, names: list[str]
) -> None:
    house.simulator.fresh()
    house.simulator.script(BEGUN, session=session, n=1)
    house.send(session, model=OPUS, models=names, stream=True)
    assert HAIKU not in models(house, session), "no hold of its own budget was made for it"
    asked = [call for call in house.simulator.calls() if call.started.model == HAIKU]
    budget = {"full": "full", "other": "haikus"}[session]
    until(lambda: house.spent(budget) == (billed(asked), 0), 5, "what the provider has billed of Haiku: nothing")


def test_a_soft_budgets_pause_is_not_passed_by_naming_the_model(house: House) -> None:
    house.simulator.fresh()
    until(lambda: house.send("soft", model=HAIKU).status == 429, 5, "the stage is in force")
    before = models(house, "soft").count(HAIKU)
    house.simulator.script(BEGUN, session="soft", n=1)
    house.send("soft", model=OPUS, models=[HAIKU], stream=True)
    assert models(house, "soft").count(HAIKU) == before


def test_where_the_same_budgets_pay_the_next_model_answers(house: House) -> None:
    house.simulator.fresh()
    house.simulator.script(BEGUN, session="same", n=1)
    answer = house.send("same", model=OPUS, models=[HAIKU], stream=True)
    assert answer.status == 200
    assert models(house, "same") == [OPUS, HAIKU]
