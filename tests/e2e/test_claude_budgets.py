"""Claude Code over budget: the gateway's sentence after one request; under contention it waits and succeeds."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from pathlib import Path

import pytest

from fastgate.sim.behaviour import Behaviour
from tests.support.admin import admin
from tests.support.burst import post, request
from tests.support.claude import Claude
from tests.support.gateway import KEY, Gateway, serving
from tests.support.sim import SimProcess, running

pytestmark = pytest.mark.e2e

LIMITS = "limits: {budget_wait_ms: 500}\n"


def budget(usd: str) -> str:
    stages = "stages: [{at: 1.0, do: pause}]"
    return f"budgets:\n  - {{id: alice-day, level: user, of: alice, period: day, usd: {usd}, {stages}}}\n"


def developer(tmp_path: Path, gateway: Gateway) -> Claude:
    return Claude(tmp_path / "dev", gateway.url, {"ANTHROPIC_AUTH_TOKEN": KEY})


@pytest.mark.timeout(180)
def test_over_budget_the_sentence_is_shown_after_one_request(tmp_path: Path) -> None:
    with (
        running(tmp_path / "sim") as simulator,
        serving(tmp_path / "gw", simulator.url, 1, budgets=budget("0.00001")) as gateway,
    ):
        run = developer(tmp_path, gateway).run("hello")
        shown = run.out + run.err
        assert "Budget alice-day (user alice) is exhausted" in shown, shown
        assert "It resets at" in shown
        assert "Ask em@acme.example" in shown
        assert not simulator.calls()
        listed = json.loads(gateway.cli("calls", "list", "--json").out)["items"]
        assert [item["outcome"] for item in listed] == ["refused"], listed


@pytest.mark.timeout(180)
def test_a_tag_that_a_developer_sets_is_on_his_calls_and_binds_them(tmp_path: Path) -> None:
    blue = '{id: blue, level: tag, of: "experiment=blue", period: day, usd: 0.00001, stages: [{at: 1.0, do: pause}]}'
    with (
        running(tmp_path / "sim") as simulator,
        serving(tmp_path / "gw", simulator.url, 1, budgets=f"budgets:\n  - {blue}\n") as gateway,
    ):
        directory = gateway.directory / "directory.yaml"
        directory.write_text(
            directory.read_text().replace("org: acme, cost", "org: acme, open_tags: [experiment], cost")
        )
        assert admin(gateway, "POST", "/reload")[0] == 200
        time.sleep(0.5)
        claude = developer(tmp_path, gateway)
        run = claude.run("hello", ANTHROPIC_CUSTOM_HEADERS="x-other: 1\nX-Fastgate-Tag-Experiment: blue")
        assert "Budget blue (tag experiment=blue) is exhausted" in run.out + run.err
        assert not simulator.calls()
        run = claude.run("hello", ANTHROPIC_CUSTOM_HEADERS="x-fastgate-tag-experiment: red")
        assert run.code == 0, run.out + run.err
        listed = json.loads(gateway.cli("calls", "list", "--outcome", "ok", "--json").out)["items"]
        assert listed and all(item["tags"] == {"experiment": "red"} for item in listed)


@pytest.mark.timeout(180)
def test_under_contention_it_waits_and_succeeds(tmp_path: Path) -> None:
    with (
        running(tmp_path / "sim") as simulator,
        serving(tmp_path / "gw", simulator.url, 1, more=LIMITS, budgets=budget("6")) as gateway,
    ):
        holder = threading.Thread(target=hold_nearly_all, args=(gateway, simulator))
        holder.start()
        time.sleep(1)
        run = developer(tmp_path, gateway).run("hello")
        holder.join()
        assert run.code == 0, run.out + run.err
        listed = json.loads(gateway.cli("calls", "list", "--json").out)["items"]
        outcomes = [item["outcome"] for item in listed if item["session"]]
        assert "refused" in outcomes, "nothing was in its way"
        assert "ok" in outcomes


def hold_nearly_all(gateway: Gateway, simulator: SimProcess) -> None:
    """One slow call that holds what there is for some seconds."""
    simulator.script(Behaviour(tokens=200, gap_ms=100), contains="slowly", n=1)
    asyncio.run(post(int(gateway.url.rpartition(":")[2]), request("slowly", 590_000, stream=True)))
