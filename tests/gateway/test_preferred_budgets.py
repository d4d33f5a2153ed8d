"""A request's `models` under budgets: each model is held and charged on its own, by the provider's log."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from fastgate.sim.behaviour import Behaviour
from tests.gateway.test_budgets import HAIKU, OPUS, PAUSE, SONNET, House
from tests.support.admin import until
from tests.support.burst import billed
from tests.support.gateway import serving
from tests.support.sim import running

CONFIG = """\
routing: {models: [alice-*]}
limits: {budget_wait_ms: 400, min_output_tokens: 200}
"""

BUDGETS = f"""\
budgets:
  - {{id: wide, level: org, of: acme, period: month, usd: 100000, mode: hard}}
  - {{id: sonnets, level: tag, of: "session=apart", org: acme, period: day, usd: 50, models: [sonnet]}}
  - {{id: haikus, level: tag, of: "session=apart", org: acme, period: day, usd: 50, models: [haiku]}}
  - {{id: both, level: tag, of: "session=together", org: acme, period: day, usd: 50}}
  - {{id: full, level: tag, of: "session=full", org: acme, period: day, usd: 0.00001, models: [opus], {PAUSE}}}
  - {{id: capped, level: tag, of: "session=capped", org: acme, period: day, usd: 0.00001, models: [haiku], {PAUSE}}}
  - {{id: least, level: tag, of: "session=least", org: acme, period: day, usd: 0.00001, models: [haiku], {PAUSE}}}
  - {{id: narrow, level: tag, of: "session=narrow", org: acme, period: day, usd: 0.024, models: [sonnet], {PAUSE}}}
  - {{id: shut, level: tag, of: "session=narrow", org: acme, period: day, usd: 0.00001, models: [haiku], {PAUSE}}}
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with (
        running(tmp_path_factory.mktemp("sim")) as simulator,
        serving(tmp_path_factory.mktemp("gw"), simulator.url, 1, more=CONFIG, budgets=BUDGETS) as gateway,
    ):
        yield House(gateway, simulator)


def test_each_model_is_held_and_charged_on_its_own_budgets(house: House) -> None:
    house.simulator.script(Behaviour(status=500), n=1)
    answer = house.send("apart", model=SONNET, models=[HAIKU])
    assert (answer.status, answer.headers["x-fastgate-model-used"]) == (200, HAIKU)
    assert answer.headers["x-fastgate-routed"] == f"preferred;{SONNET};failed"
    call = house.upstream("apart", 2)[-1]
    assert house.settled("haikus", billed([call])) > 0
    assert house.settled("sonnets", 0) == 0


def test_under_a_full_ceiling_it_comes_before_the_cascade(house: House) -> None:
    answer = house.send("full", model=OPUS, models=[HAIKU])
    assert (answer.status, answer.headers["x-fastgate-model-used"]) == (200, HAIKU)
    assert answer.headers["x-fastgate-routed"] == f"preferred;{OPUS};ceiling"
    answer = house.send("full", model=OPUS)
    assert answer.headers["x-fastgate-routed"] == "budget;full;ceiling"


def test_the_counters_are_the_upstreams_log(house: House) -> None:
    everything = [call for call in house.simulator.calls() if call.ended]
    assert len(everything) >= 4
    assert house.settled("wide", billed(everything)) > 0


BEGUN = Behaviour(error_at=1, error_type="api_error")
"""Its input is billed. The provider's log states what the whole answer would have used: these come after the sums."""


def test_what_a_failed_attempt_has_cost_is_charged_with_the_answer_where_the_same_budgets_pay(house: House) -> None:
    house.simulator.script(BEGUN, n=1)
    answer = house.send("together", model=SONNET, models=[HAIKU], stream=True)
    broken, served = house.upstream("together", 2)
    assert (answer.status, broken.started.model, served.started.model) == (200, SONNET, HAIKU)
    show = ("calls", "show", answer.headers["x-fastgate-call-id"], "--json")
    until(lambda: house.gateway.cli(*show).code == 0, 5, "it is recorded")
    shown = house.gateway.cli(*show).json
    costs = [int(Decimal(attempt["cost"]).scaleb(9)) for attempt in shown["attempts"]]
    assert costs[0] > 0
    assert costs[1] == billed([served])
    assert house.settled("both", sum(costs)) == int(Decimal(shown["cost"]).scaleb(9))
    assert (shown["ladder"]["by"], shown["ladder"]["asked"], shown["ladder"]["to"]) == ("preferred", SONNET, HAIKU)


def test_and_where_they_do_not_the_call_stays_with_its_model(house: House) -> None:
    before, _ = house.spent("haikus")
    house.simulator.script(BEGUN, session="apart", n=1)
    answer = house.send("apart", model=SONNET, models=[HAIKU], stream=True)
    assert answer.status == 200, "as it would have without models"
    assert [call.started.model for call in house.upstream("apart", 4)[-2:]] == [SONNET, SONNET]
    assert house.settled("sonnets") > 0
    assert house.settled("haikus", before) == before, "what was spent on one budget is not another's to pay"


def test_what_failed_for_nothing_is_charged_to_no_budget_of_a_model_that_was_never_called(house: House) -> None:
    wide, _ = house.spent("wide")
    house.simulator.script(Behaviour(cut="rst", cut_bytes=0), session="capped", n=20)
    answer = house.send("capped", model=SONNET, models=[HAIKU])
    house.simulator.unscript()
    assert answer.status in (429, 529)
    assert {call.started.model for call in house.simulator.calls() if call.started.session == "capped"} == {SONNET}
    show = ("calls", "show", answer.headers["x-fastgate-call-id"], "--json")
    until(lambda: house.gateway.cli(*show).code == 0, 5, "it is recorded")
    assert Decimal(house.gateway.cli(*show).json["cost"]) == 0
    assert house.settled("capped", 0) == 0
    assert house.settled("wide", wide) == wide


def test_a_model_whose_budget_is_full_is_no_refusal(house: House) -> None:
    before, _ = house.spent("wide")
    house.simulator.fresh()
    house.simulator.script(Behaviour(status=529), session="least", n=1)
    answer = house.send("least", model=SONNET, models=[HAIKU])
    assert (answer.status, answer.headers["x-fastgate-model-used"]) == (200, SONNET)
    assert "x-fastgate-routed" not in answer.headers
    failed, served = house.upstream("least", 2)
    assert (failed.started.status, failed.started.model, served.started.model) == (529, SONNET, SONNET)
    assert house.settled("wide", before + billed([served])) > before
    house.simulator.script(Behaviour(status=529), session="least", n=9)
    answer = house.send("least", model=SONNET, models=[HAIKU])
    assert (answer.status, answer.error[0]) == (529, "overloaded_error"), "its own failure, not the other's budget"
    assert {call.started.model for call in house.upstream("least", 3)} == {SONNET}
    house.simulator.unscript()


def test_what_was_given_up_for_another_model_may_be_gone_and_then_nothing_is_sent(house: House) -> None:
    """One waits for the money of another that gives it up for a model whose budget is full, and wants it back."""
    for _ in range(3):
        house.simulator.script(Behaviour(status=529, stall_head_s=0.2), session="narrow", n=1)
        house.simulator.script(Behaviour(status=200, tokens=50, stall_first_s=0.2), session="narrow", n=9)
        seen = len(house.upstream("narrow", 0))
        with ThreadPoolExecutor(2) as threads:
            gives = threads.submit(house.send, "narrow", 1500, model=SONNET, models=[HAIKU])
            until(lambda seen=seen: len(house.simulator.calls()) > seen, 5, "the first is under way")
            waits = threads.submit(house.send, "narrow", 1500, model=SONNET)
            answers = [gives.result(), waits.result()]
        house.simulator.unscript()
        assert 200 in {answer.status for answer in answers}
        assert {answer.status for answer in answers} <= {200, 429, 529}
        done = house.upstream("narrow", seen + 2)
        assert {call.started.model for call in done} == {SONNET}
        assert house.settled("narrow", billed(done)) <= 24_000_000
