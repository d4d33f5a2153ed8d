"""Budgets, increases and pauses through the command line and the admin API of a running gateway, and without one."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench.load.ports import free_port
from fastgate import snapshot
from fastgate.control import shapes_budgets as shapes
from fastgate.control.shapes import Page
from fastgate.state import StateDir
from tests.support.admin import admin, ask, message, until
from tests.support.command import Done, invoke
from tests.support.gateway import KEY, Gateway, serving
from tests.support.sim import running

WITHIN_S = 1.0
"""How soon every worker follows."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with (
        running(tmp_path_factory.mktemp("upstream")) as simulator,
        serving(tmp_path_factory.mktemp("gateway"), simulator.url, workers=2) as running_gateway,
    ):
        yield running_gateway


@pytest.fixture
def folder(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(gateway.directory)
    return gateway.directory


def good(*words: str) -> Any:
    done = invoke(*words, "--json")
    assert done.code == 0, done.err
    return done.json


def refused(code: int, *words: str) -> str:
    done: Done = invoke(*words, "--json")
    assert done.code == code, (done.out, done.err)
    return str(done.error["message"])


def row(gateway: Gateway, budget_id: str) -> snapshot.BudgetRow:
    """The budget as workers have it."""
    data = snapshot.decode(StateDir(gateway.directory / "fastgate-data").snapshot.read_bytes())
    return next(each for each in data.budgets if each.id == budget_id)


@pytest.mark.usefixtures("folder")
def test_a_budget_is_set_listed_changed_and_removed(gateway: Gateway) -> None:
    words = ("budgets", "set", "t-month", "--team", "platform", "--period", "month", "--tz", "Europe/Berlin")
    plan = good(*words, "--usd", "4000", "--dry-run")
    assert (plan["dry_run"], plan["budget"]["limit"], plan["changes"][0]["action"]) == (
        True,
        "4000.000000000",
        "create",
    )
    assert refused(1, "budgets", "show", "t-month") == "there is no budget t-month."
    made = good(*words, "--usd", "4000")["budget"]
    assert (made["limit"], made["ceiling"], made["mode"]) == ("4000.000000000", "4400.000000000", "hard")
    assert made["resets_at"].endswith(("T22:00:00.000Z", "T23:00:00.000Z"))
    assert row(gateway, "t-month").usd_nano == 4000 * 10**9
    changed = good("budgets", "set", "t-month", "--usd", "50", "--stage", "0.5=alert", "--stage", "1=pause")
    assert changed["changes"][0]["before"]["usd_nano"] == 4000 * 10**9
    assert changed["budget"]["ceiling"] == "50.000000000"
    assert [(stage["at"], stage["do"], stage["usd"]) for stage in changed["budget"]["stages"]] == [
        ("0.5", "alert", "25.000000000"),
        ("1", "pause", "50.000000000"),
    ]
    assert good("budgets", "set", "t-month", "--mode", "soft", "--no-stages")["budget"]["ceiling"] is None
    assert [each["id"] for each in good("budgets", "list")["items"]] == ["t-month"]
    table = invoke("budgets", "list").out
    assert "50.00" in table and "ceiling $" in table
    good("budgets", "remove", "t-month")
    assert good("budgets", "list")["items"] == []


@pytest.mark.usefixtures("folder")
def test_setting_shows_first_what_the_budget_would_have_done(gateway: Gateway) -> None:
    words = ("budgets", "set", "tight", "--user", "alice", "--period", "day", "--usd", "0.000001", "--stage", "1=pause")
    assert message(gateway)[0] == message(gateway)[0] == 200
    until(lambda: len(good_api(gateway, "/calls")["items"]) >= 2, 2, "the calls are counted")
    plan = good(*words, "--dry-run")
    assert plan["replay"]["total"]["calls"] >= 2
    assert plan["replay"]["total"]["refused_calls"] >= 1
    told = invoke(*words).out
    assert "budget tight would be made: limit $0.000001, ceiling $0.000001" in told
    assert "calls refused" in told and "what happens, and when" in told
    assert told.rstrip().endswith("budget tight made: limit $0.000001, ceiling $0.000001")
    good("budgets", "remove", "tight")


@pytest.mark.usefixtures("folder")
def test_a_budget_that_binds_nothing_is_made_with_a_warning() -> None:
    told = good("budgets", "set", "typo", "--tag", "projct=x", "--model", "opsu", "--period", "day", "--usd", "1")
    assert [warning.partition(",")[0] for warning in told["warnings"]] == [
        "no key has the tag projct", "no model with a known price is opsu; nearest: opus",
    ]  # fmt: skip
    assert good("budgets", "set", "typo2", "--user", "alice", "--period", "day", "--usd", "1")["warnings"] == []
    for name in ("typo", "typo2"):
        good("budgets", "remove", name)


def test_a_gateway_whose_counters_cannot_be_read_says_so_and_does_not_start(tmp_path: Path) -> None:
    state = tmp_path / "gw" / "fastgate-data"
    state.mkdir(parents=True, mode=0o700)
    (state / "counters.sqlite").write_bytes(b"no database" * 1000)
    with closing_gateway(tmp_path / "gw") as gateway:
        assert gateway.process.wait(60) == 1
        told = gateway.log_text()
    assert "counters.sqlite: file is not a database. No call can be held to its budgets." in told
    assert "Traceback" not in told


@contextmanager
def closing_gateway(folder: Path) -> Iterator[Gateway]:
    gateway = Gateway(folder, "http://127.0.0.1:9", listen=free_port(), control=free_port())
    try:
        yield gateway
    finally:
        gateway.stop()


@pytest.mark.usefixtures("folder")
def test_what_a_budget_counts_is_said_to_be_another_budget() -> None:
    good("budgets", "set", "fixed", "--user", "alice", "--period", "5h", "--usd", "3")
    assert good("budgets", "show", "fixed")["rolling_h"] == 5
    for words, field in (
        (("--period", "24h"), "window"),
        (("--period", "day"), "period, window"),
        (("--key", "alice-laptop"), "level, subject"),
        (("--model", "opus"), "models"),
    ):
        told = refused(1, "budgets", "set", "fixed", *words)
        assert told.startswith(f"budget fixed would change its {field}, ")
        assert told.endswith("make a new budget with another id.")
    good("budgets", "remove", "fixed")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--usd", "1"), "there is no budget b yet; to make it, add --org, --team, --user, --key or --tag, --period."),
        (("--user", "bob", "--period", "day", "--usd", "1"), "there is no user bob."),
        (("--user", "alcie", "--period", "day", "--usd", "1"), "there is no user alcie; nearest: alice."),
        (
            ("--user", "alice", "--period", "day", "--usd", "0"),
            "Invalid value for '--usd': 0 must be more than 0 and at most",
        ),
        (("--user", "alice", "--period", "fortnight", "--usd", "1"), "--period 'fortnight' is none; write day, week"),
        (
            ("--user", "alice", "--team", "platform", "--period", "day"),
            "a budget is of one thing, not of team and user",
        ),
        (("--tag", "x", "--period", "day", "--usd", "1"), "budget b: of: of a tag is NAME=VALUE"),
        (
            ("--stage", "80=alert", "--user", "alice", "--period", "day", "--usd", "1"),
            "budget b: stages[0].at: must be",
        ),
        (("--stage", "alert", "--user", "alice"), "--stage 'alert' is not PART=ACTION, like 0.8=alert"),
        (("--stage", "1=pause", "--no-stages"), "--stage and --no-stages exclude each other"),
        (("--tz", "Mars/X", "--user", "alice", "--period", "day", "--usd", "1"), "budget b: tz: 'Mars/X' is no time"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_wrong_budget_is_told_what_is_wrong(words: tuple[str, ...], told: str) -> None:
    done = invoke("budgets", "set", "b", *words, "--json")
    assert done.code in (1, 2)
    assert done.error["message"].startswith(told)


@pytest.mark.usefixtures("folder")
def test_an_increase_goes_from_request_to_approval_to_its_end(gateway: Gateway) -> None:
    good("budgets", "set", "inc", "--user", "alice", "--period", "day", "--usd", "10", "--stage", "1=pause")
    words = ("budgets", "raise", "inc", "--usd", "2.5", "--until", "1h", "--reason", "release week")
    asked = good(*words, "--request")
    assert (asked["state"], asked["decided_by"]) == ("requested", None)
    assert row(gateway, "inc").increases == ()
    granted = good("budgets", "approve", asked["id"])
    assert (granted["state"], granted["reason"]) == ("approved", "release week")
    assert granted["decided_by"].startswith("admin:")
    assert [each.nano for each in row(gateway, "inc").increases] == [2_500_000_000]
    shown = good("budgets", "show", "inc")
    assert (shown["limit"], shown["ceiling"]) == ("10.000000000", "12.500000000")
    assert shown["increases"] == [{"usd": "2.500000000", "until": asked["until"], "cell": None}]
    assert refused(1, "budgets", "deny", asked["id"]) == f"increase {asked['id']} is approved, not requested."
    assert good("budgets", "end", asked["id"])["state"] == "ended"
    assert row(gateway, "inc").increases == ()
    at_once = good(*words)
    assert at_once["state"] == "approved"
    denied = good("budgets", "deny", good(*words, "--request")["id"])
    listed = {each["id"]: each["state"] for each in good("budgets", "increases", "--budget", "inc")["items"]}
    assert listed == {asked["id"]: "ended", at_once["id"]: "approved", denied["id"]: "denied"}
    good("budgets", "remove", "inc")


@pytest.mark.usefixtures("folder")
def test_an_increase_ends_by_itself_and_leaves_the_snapshot(gateway: Gateway) -> None:
    good("budgets", "set", "brief", "--user", "alice", "--period", "day", "--usd", "10")
    made = good("budgets", "raise", "brief", "--usd", "1", "--until", "2s", "--reason", "a moment")
    assert row(gateway, "brief").increases
    until(lambda: not row(gateway, "brief").increases, 5, "the increase is over")
    assert [each["state"] for each in good("budgets", "increases")["items"] if each["id"] == made["id"]] == ["expired"]
    assert good("budgets", "show", "brief")["ceiling"] == "11.000000000"
    good("budgets", "remove", "brief")


@pytest.mark.parametrize(
    ("level", "of"),
    [("org", "acme"), ("team", "platform"), ("user", "alice"), ("key", "alice-laptop"), ("tag", "cost_center=CC-1001")],
)
@pytest.mark.usefixtures("folder")
def test_a_pause_reaches_every_worker_within_a_second_and_is_audited(gateway: Gateway, level: str, of: str) -> None:
    before = len(good_api(gateway, "/audit?limit=1000")["items"])
    good("pause", level, of, "--reason", "runaway agent", "--until", "1h")
    told = time.monotonic()
    # Each request is its own connection: the kernel hands them to both workers.
    until(lambda: {message(gateway)[0] for _ in range(8)} == {429}, WITHIN_S, "all workers refuse")
    status, headers, raw = message(gateway)
    error = json.loads(raw)["error"]
    assert (status, error["type"], headers["x-should-retry"]) == (429, "billing_error", "false")
    assert error["message"].startswith(f"Paused: {level} {of} was paused by admin:")
    assert "runaway agent. It ends 20" in error["message"]
    assert 3590 <= int(headers["retry-after"]) <= 3600
    assert [each["of"] for each in good("pauses")["items"]] == [of]
    good("resume", level, of)
    until(lambda: {message(gateway)[0] for _ in range(8)} == {200}, WITHIN_S, "all workers take calls")
    assert time.monotonic() - told < 30
    changes = good_api(gateway, "/audit?limit=1000")["items"][before:]
    assert [(each["action"], each["kind"], each["id"]) for each in changes] == [
        ("create", "pause", f"{level} {of}"),
        ("remove", "pause", f"{level} {of}"),
    ]
    assert changes[0]["after"]["reason"] == "runaway agent"
    assert refused(1, "resume", level, of) == f"{level} {of} is not paused by hand."


def good_api(gateway: Gateway, path: str) -> Any:
    status, answer = admin(gateway, "GET", path)
    assert status == 200, answer
    return answer


@pytest.mark.usefixtures("folder")
def test_every_answer_has_the_shape_that_openapi_states(gateway: Gateway) -> None:
    good("budgets", "set", "shape", "--tag", "session=*", "--period", "total", "--usd", "40")
    good("budgets", "raise", "shape", "--usd", "1", "--until", "1h", "--reason", "why")
    good("pause", "tag", "session=none", "--reason", "why")
    document = json.loads(ask(gateway.control_url, "GET", "/api/openapi.json")[2])
    for path, shape in {
        "budgets": Page[shapes.Budget],
        "budgets/shape": shapes.Budget,
        "increases": Page[shapes.Increase],
        "pauses": Page[shapes.Pause],
    }.items():
        answer = good_api(gateway, f"/{path}")
        assert msgspec.to_builtins(msgspec.convert(answer, shape)) == answer
        route = f"/api/v1/{path}".replace("budgets/shape", "budgets/{budget_id}")
        assert "200" in document["paths"][route]["get"]["responses"]
    good("resume", "tag", "session=none")
    good("budgets", "remove", "shape")


def test_the_api_refuses_what_it_does_not_know_and_strangers(gateway: Gateway) -> None:
    body = {"level": "user", "of": "alice", "period": "day", "usd": 1}
    assert admin(gateway, "PUT", "/budgets/x", {**body, "amount": 3})[0] == 400
    assert admin(gateway, "PUT", "/budgets/x?dryrun=true", body)[0] == 400
    for method, path in (("PUT", "/budgets/x"), ("DELETE", "/budgets/x"), ("POST", "/pauses"), ("GET", "/increases")):
        assert admin(gateway, method, path, body, token="wrong")[0] == 401
    assert admin(gateway, "POST", "/increases/inc-0/forget")[0] in (400, 404)
    assert good_api(gateway, "/budgets")["items"] == []
    status, answer = admin(gateway, "PUT", "/budgets/x?dry_run=true", {**body, "usd": 0.1})
    assert (status, answer["budget"]["limit"]) == (200, "0.100000000")


def test_without_a_gateway_the_state_itself_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert invoke("init").code == 0
    env = {"ANTHROPIC_API_KEY": "sk-ant-not-real"}
    assert invoke("apply", "-f", "directory.yaml", env=env).code == 0
    assert invoke("budgets", "set", "b", "--user", "alice", "--period", "day", "--usd", "0.1", env=env).code == 0
    assert invoke("pause", "user", "alice", "--reason", "why", env=env).code == 0
    shown = invoke("budgets", "list", "--json", env=env).json["items"]
    made = [(each["id"], each["limit"]) for each in shown if each["origin"] == "managed"]
    assert made == [("b", "0.100000000")]
    assert invoke("pauses", "--json", env=env).json["items"][0]["by"].startswith("local:")
    asked = invoke(
        "budgets", "raise", "b", "--usd", "1", "--until", "1d", "--reason", "r", "--request", "--json", env=env
    )
    assert invoke("budgets", "approve", asked.json["id"], "--json", env=env).json["state"] == "approved"
    assert invoke("resume", "user", "alice", env=env).code == 0


def test_declared_budgets_are_applied_at_start_and_changed_in_the_file(gateway: Gateway) -> None:
    text = (gateway.directory / "directory.yaml").read_text()
    budget = "budgets: [{id: declared, level: user, of: alice, period: day, usd: 7}]\n"
    (gateway.directory / "directory.yaml").write_text(text + budget)
    assert gateway.cli("check").code == 0
    status, answer = admin(gateway, "POST", "/reload")
    assert (status, answer["directory_changes"]) == (200, 1)
    assert row(gateway, "declared").usd_nano == 7 * 10**9
    status, answer = admin(gateway, "PUT", "/budgets/declared", {"usd": 8})
    assert status == 400 and "declared in directory.yaml; change it there" in answer["error"]["message"]
    (gateway.directory / "directory.yaml").write_text(text)
    assert admin(gateway, "POST", "/reload")[0] == 200
    assert good_api(gateway, "/budgets")["items"] == []
    until(lambda: {message(gateway, key=KEY)[0] for _ in range(8)} == {200}, WITHIN_S, "workers have forgotten it")
