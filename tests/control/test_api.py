"""The admin API over HTTP, against a running gateway: who may ask, what is answered, what a mistake is told."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fastgate.control import shapes
from fastgate.control.shapes_guards import Guard
from tests.support.admin import TOKEN, admin, ask, message, until
from tests.support.gateway import KEY, Gateway, serving
from tests.support.sim import SimProcess

READS = ("status", "orgs", "teams", "users", "cost-centers", "keys", "keys/alice-laptop", "endpoints", "calls", "spend",
         "spend/focus", "audit", "drain", "guards")  # fmt: skip


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, upstream: SimProcess) -> Iterator[Gateway]:
    with serving(tmp_path_factory.mktemp("gateway"), upstream.url) as running_gateway:
        yield running_gateway


def good(gateway: Gateway, method: str, path: str, body: Any = None) -> Any:
    status, answer = admin(gateway, method, path, body)
    assert status in (200, 201), answer
    return answer


# -- access -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", READS)
def test_nothing_is_told_without_the_token(gateway: Gateway, path: str) -> None:
    wrong = [
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Basic {TOKEN}",
        TOKEN,
        "Bearer \xff",
    ]
    for authorization in wrong:
        status, headers, raw = ask(gateway.control_url, "GET", f"/api/v1/{path}", authorization=authorization)
        assert status == 401, authorization
        assert headers["www-authenticate"] == "Bearer"
        body = msgspec.json.decode(raw, type=shapes.ErrorBody)
        assert body.error.type == "authentication_error"
        assert body.request_id == headers["request-id"]
        assert TOKEN not in raw.decode()
    assert ask(gateway.control_url, "GET", f"/api/v1/{path}", authorization=f"bearer {TOKEN}")[0] == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/keys"),
        ("POST", "/keys/alice-laptop/revoke"),
        ("POST", "/reload"),
        ("POST", "/drain"),
        ("POST", "/apply"),
    ],
)
def test_nothing_is_changed_without_the_token(gateway: Gateway, method: str, path: str) -> None:
    before = good(gateway, "GET", "/audit?limit=1000")
    assert ask(gateway.control_url, method, f"/api/v1{path}", b"{}")[0] == 401
    assert good(gateway, "GET", "/audit?limit=1000") == before
    assert good(gateway, "GET", "/drain")["draining"] is False


def test_what_is_open_names_nobody(gateway: Gateway) -> None:
    message(gateway)
    for path in ("/", "/healthz", "/metrics", "/api/openapi.json"):
        status, headers, raw = ask(gateway.control_url, "GET", path)
        assert status == 200
        for name in ("alice", "acme", "platform", "CC-1001", TOKEN, KEY, "provider-key"):
            assert name not in raw.decode(), f"{path} tells of {name}"
    status, headers, raw = ask(gateway.control_url, "GET", "/")
    assert headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in headers["content-security-policy"]
    assert b"console comes in a later version" in raw


# -- answers ----------------------------------------------------------------------------------------------------------


def test_every_answer_has_the_shape_that_openapi_states(gateway: Gateway) -> None:
    good(gateway, "POST", "/keys", {"user": "alice", "id": "shape", "tags": {"a": "b"}, "expires": "2030-01-01"})
    assert message(gateway)[0] == 200
    until(lambda: good(gateway, "GET", "/calls")["items"], 2, "the call is counted")
    expected = {
        "status": shapes.Status,
        "orgs": shapes.Page[shapes.Org],
        "teams": shapes.Page[shapes.Team],
        "users": shapes.Page[shapes.User],
        "cost-centers": shapes.Page[shapes.CostCenter],
        "keys": shapes.Page[shapes.Key],
        "keys/shape": shapes.Key,
        "endpoints": shapes.Page[shapes.Endpoint],
        "calls": shapes.Page[shapes.Call],
        "spend?by=user&by=day": shapes.Spend,
        "audit": shapes.Page[shapes.Change],
        "drain": shapes.DrainState,
        "guards": shapes.Page[Guard],
    }
    document = json.loads(ask(gateway.control_url, "GET", "/api/openapi.json")[2])
    assert document["openapi"].startswith("3.1")
    for path, shape in expected.items():
        answer = good(gateway, "GET", f"/{path}")
        assert msgspec.to_builtins(msgspec.convert(answer, shape)) == answer
        route = f"/api/v1/{path}".partition("?")[0].replace("keys/shape", "keys/{key_id}")
        assert "200" in document["paths"][route]["get"]["responses"]


def test_the_call_that_was_made_is_the_call_that_is_shown(gateway: Gateway, upstream: SimProcess) -> None:
    status, headers, _ = message(gateway, "count me")
    assert status == 200
    call_id = headers["x-fastgate-call-id"]
    call = until(lambda: found(gateway, call_id), 1.0, "a finished call is visible within a second")
    assert call["cost"] == headers["x-fastgate-cost"]
    assert (call["user"], call["team"], call["org"], call["cost_center"]) == ("alice", "platform", "acme", "CC-1001")
    listed = good(gateway, "GET", "/calls?user=alice&limit=1")["items"]
    assert listed == [call]
    spend = good(gateway, "GET", "/spend?by=user")
    assert spend["items"][0]["user"] == "alice"
    assert spend["total"]["calls"] == sum(item["calls"] for item in spend["items"])


def test_spend_is_exported_as_focus_csv(gateway: Gateway) -> None:
    call_id = message(gateway)[1]["x-fastgate-call-id"]
    until(lambda: found(gateway, call_id), 2, "the call is counted")
    bearer = f"Bearer {TOKEN}"
    status, headers, raw = ask(gateway.control_url, "GET", "/api/v1/spend/focus?user=alice", authorization=bearer)
    assert (status, headers["content-type"]) == (200, "text/csv; charset=utf-8")
    rows = list(csv.DictReader(io.StringIO(raw.decode(), newline="")))
    total = good(gateway, "GET", "/spend?user=alice")["total"]["cost"]
    assert sum(Decimal(row["BilledCost"]) for row in rows) == Decimal(total) > 0
    ahead = good(gateway, "GET", "/spend?by=user&forecast=month")
    assert Decimal(ahead["items"][0]["forecast"]["expected"]) >= Decimal(ahead["items"][0]["cost"])


def found(gateway: Gateway, call_id: str) -> Any:
    status, answer = admin(gateway, "GET", f"/calls/{call_id}")
    assert status in (200, 404)
    return answer if status == 200 else None


def test_listings_page_through_everything_once(gateway: Gateway) -> None:
    for n in range(5):
        good(gateway, "POST", "/keys", {"user": "alice", "id": f"page-{n}"})
    for path in ("keys", "audit"):
        whole = good(gateway, "GET", f"/{path}?limit=1000")
        assert whole["next"] is None
        paged, cursor = [], ""
        while True:
            page = good(gateway, "GET", f"/{path}?limit=2{cursor and '&cursor=' + cursor}")
            assert len(page["items"]) <= 2
            paged += page["items"]
            if page["next"] is None:
                break
            cursor = page["next"]
        assert paged == whole["items"]


def test_odd_bytes_in_a_cursor_are_only_text(gateway: Gateway) -> None:
    for cursor in ("%ff", "%00", "%F0%9F%98%80", "'%20or%201=1"):
        assert isinstance(good(gateway, "GET", f"/keys?limit=1&cursor={cursor}")["items"], list)


def test_endpoints_are_shown_without_their_secrets(gateway: Gateway) -> None:
    (endpoint,) = good(gateway, "GET", "/endpoints")["items"]
    assert endpoint["name"] == "scripted"
    assert endpoint["api_key"] == "(in the file)"


# -- keys -------------------------------------------------------------------------------------------------------------


def test_a_key_lives_and_every_step_is_in_the_change_log(gateway: Gateway) -> None:
    made = good(gateway, "POST", "/keys", {"user": "alice", "id": "life", "models": ["claude-haiku-*"]})
    secret = made["secret"]
    assert re.fullmatch(r"sk-fg-[0-9A-Za-z]{40}", secret)
    assert "secret" not in good(gateway, "GET", "/keys/life")
    until(lambda: message(gateway, key=secret)[0] == 400, 1.0, "a new key is known, and its models apply")
    rotated = good(gateway, "POST", "/keys/life/rotate", {"overlap_s": 3600})
    until(lambda: message(gateway, key=rotated["secret"])[0] == 400, 1.0, "the new secret is known")
    assert message(gateway, key=secret)[0] == 400, "the old one still is"
    good(gateway, "POST", "/keys/life/revoke")
    until(lambda: message(gateway, key=rotated["secret"])[0] == 401, 1.0, "the key is out")
    assert message(gateway, key=secret)[0] == 401
    events = [event for event in good(gateway, "GET", "/audit?limit=1000")["items"] if event["id"] == "life"]
    assert [(event["action"], event["actor"]) for event in events] == [
        ("create", "admin"),
        ("rotate", "admin"),
        ("revoke", "admin"),
    ]
    assert events[0]["before"] is None
    assert events[0]["after"]["models"] == ["claude-haiku-*"]
    whole = json.dumps(events)
    assert secret not in whole
    assert rotated["secret"] not in whole


def test_the_caller_may_say_who_acts(gateway: Gateway) -> None:
    said = {"alice@laptop": "admin:alice@laptop", "two words": "admin", "x" * 65: "admin"}
    for n, (name, actor) in enumerate(said.items()):
        body = json.dumps({"user": "alice", "id": f"actor-{n}"}).encode()
        headers = {"authorization": f"Bearer {TOKEN}", "x_fastgate_actor": name}
        assert ask(gateway.control_url, "POST", "/api/v1/keys", body, **headers)[0] == 201
        event = next(e for e in good(gateway, "GET", "/audit?limit=1000")["items"] if e["id"] == f"actor-{n}")
        assert event["actor"] == actor


# -- mistakes ---------------------------------------------------------------------------------------------------------


ALICE_DAY = {"level": "user", "of": "alice", "period": "day", "usd": "1"}
MORE = {"usd": "5", "until": str(int(time.time()) + 86_400), "reason": "a release"}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("GET", "/nothing", None, 404, "there is no GET /api/v1/nothing"),
        ("GET", "/keys/nobody", None, 404, "nobody"),
        ("GET", "/calls/fg-0", None, 404, "fg-0"),
        ("PUT", "/keys", None, 405, ""),
        ("GET", "/calls?usr=alice", None, 400, "usr"),
        ("GET", "/calls?limit=0", None, 400, "limit"),
        ("GET", "/calls?limit=1001", None, 400, "limit"),
        ("GET", "/calls?limit=ten", None, 400, "limit"),
        ("GET", "/calls?since=yesterday", None, 400, "since"),
        ("GET", "/calls?tag=x", None, 400, "NAME=VALUE"),
        ("GET", "/calls?outcome=fine", None, 400, "upstream_error"),
        ("GET", "/spend?outcome=fine", None, 400, "upstream_error"),
        ("GET", "/calls?cursor=x", None, 400, "cursor"),
        ("PUT", "/budgets/b", ALICE_DAY | {"usd": "NaN"}, 400, "usd"),
        ("PUT", "/budgets/b", ALICE_DAY | {"usd": "-1"}, 400, "more than 0"),
        ("PUT", "/budgets/b", ALICE_DAY | {"usd": 1e30}, 400, "at most 50000000"),
        ("PUT", "/budgets/b", ALICE_DAY | {"usd": 0.1234567891}, 400, "decimal places"),
        ("PUT", "/budgets/b", ALICE_DAY | {"of": "Alcie"}, 404, "nearest: alice"),
        ("PUT", "/budgets/b", ALICE_DAY | {"stages": [{"at": "NaN", "do": "alert"}]}, 400, "stages[0].at"),
        ("PUT", "/budgets/b", ALICE_DAY | {"period": "rolling", "rolling_h": -5}, 400, "rolling_h"),
        ("POST", "/budgets/none/increases", MORE | {"usd": "NaN"}, 400, "usd"),
        ("POST", "/budgets/none/increases", MORE | {"usd": "Infinity"}, 400, "usd"),
        ("POST", "/budgets/none/increases", MORE | {"usd": -1}, 400, "usd"),
        ("POST", "/budgets/none/increases", MORE, 404, "there is no budget none"),
        ("POST", "/increases/inc-0/approve", None, 404, "there is no increase inc-0"),
        ("POST", "/increases/inc-0/forget", None, 400, "verdict"),
        ("GET", "/spend?by=mood", None, 400, "mood"),
        ("GET", "/spend?forecast=decade", None, 400, "decade"),
        ("GET", "/spend?forecast=month&since=2026-01-01", None, 400, "since"),
        ("GET", "/spend/focus?by=user", None, 400, "by"),
        ("GET", "/spend/focus?since=yesterday", None, 400, "since"),
        ("GET", "/audit?cursor=-1", None, 400, "cursor"),
        ("POST", "/keys", b"", 400, ""),
        ("POST", "/keys", b"{", 400, ""),
        ("POST", "/keys", b"[]", 400, ""),
        ("POST", "/keys", b'{"user":"alice","expire":"2030-01-01"}', 400, "expire"),
        ("POST", "/keys", b'{"user":1}', 400, "user"),
        ("POST", "/keys", b'{"user":"alice","team":"platform"}', 400, "user"),
        ("POST", "/keys", b'{"user":"nobody"}', 404, "nobody"),
        ("POST", "/keys", b'{"user":"alice","id":"a b"}', 400, "id"),
        ("POST", "/keys", b'{"user":"alice","id":"alice-laptop"}', 409, "alice-laptop"),
        ("POST", "/keys", b'{"user":"alice","expires":"2001-01-01"}', 400, "expired"),
        ("POST", "/keys", b'{"user":"alice","id":"\xff"}', 400, ""),
        ("POST", "/keys", b'{"user":"alice","id":"\\ud800"}', 400, ""),
        ("POST", "/keys", b'{"user":"alice","tags":{"a":"\\u0000"}}', 400, ""),
        ("GET", "/keys/%ff", None, 404, ""),
        ("GET", "/keys/%00", None, 404, ""),
        ("POST", "/keys/alice-laptop/rotate", b"{}", 400, "directory.yaml"),
        ("POST", "/keys/nobody/revoke", None, 404, "nobody"),
        ("POST", "/keys/nobody/rotate", b'{"overlap_s":-1}', 400, "overlap"),
        ("POST", "/apply", b"users: [{id: u, team: none}]\nkeys: [{id: k}]\n", 422, "users[0].team"),
        ("POST", "/apply", b"\xff\xfe", 422, ""),
        ("POST", "/keys", b" " * 1_100_000, 413, ""),
    ],
)
def test_a_mistake_is_named_and_changes_nothing(
    gateway: Gateway, method: str, path: str, body: bytes | None, status: int, said: str
) -> None:
    before = good(gateway, "GET", "/audit?limit=1000")
    code, answer = admin(gateway, method, path, body)
    assert code == status, answer
    error = msgspec.convert(answer, shapes.ErrorBody).error
    assert said in error.message
    assert "Traceback" not in error.message
    assert "/site-packages/" not in error.message
    assert good(gateway, "GET", "/audit?limit=1000") == before


def test_all_mistakes_of_a_directory_are_listed(gateway: Gateway) -> None:
    document = b"users: [{id: u, team: none}]\nkeys: [{id: k}, {id: k, user: u, sekret: x}]\n"
    code, answer = admin(gateway, "POST", "/apply", document)
    paths = [problem["path"] for problem in answer["error"]["problems"]]
    assert code == 422
    assert {"users[0].team", "keys[0]", "keys[1].id", "keys[1].sekret"} <= set(paths)


def test_a_dry_run_shows_and_does_not_do(gateway: Gateway) -> None:
    document = (gateway.directory / "directory.yaml").read_bytes() + b"# and more\n"
    document = document.replace(b"email: alice@acme.example", b"email: new@acme.example")
    before = good(gateway, "GET", "/users")
    shown = good(gateway, "POST", "/apply?dry_run=true", document)
    assert [(change["action"], change["kind"], change["id"]) for change in shown["changes"]] == [
        ("update", "user", "alice")
    ]
    assert good(gateway, "GET", "/users") == before
    done = good(gateway, "POST", "/apply", document)
    assert [change["after"] for change in done["changes"]] == [{"email": "new@acme.example"}]
    assert good(gateway, "GET", "/users")["items"][0]["email"] == "new@acme.example"


# -- metrics ----------------------------------------------------------------------------------------------------------


def metrics(gateway: Gateway) -> dict[str, float]:
    lines = ask(gateway.control_url, "GET", "/metrics")[2].decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def test_counters_grow_by_what_was_called(gateway: Gateway) -> None:
    before = metrics(gateway)
    calls = 'fastgate_calls_total{outcome="ok"}'
    costs = [message(gateway)[1]["x-fastgate-cost"] for _ in range(3)]
    until(lambda: metrics(gateway).get(calls, 0) - before.get(calls, 0) == 3, 2, "three more calls")
    after = metrics(gateway)
    assert after["fastgate_cost_usd_total"] - before.get("fastgate_cost_usd_total", 0) == pytest.approx(
        sum(map(float, costs))
    )
    assert after['fastgate_tokens_total{class="input"}'] > before.get('fastgate_tokens_total{class="input"}', 0)
    assert after["fastgate_workers"] == after["fastgate_workers_configured"] == 1
    assert after["fastgate_snapshot_generation_adopted"] == after["fastgate_snapshot_generation"]


def test_the_text_form_is_one_that_prometheus_reads(gateway: Gateway) -> None:
    raw = ask(gateway.control_url, "GET", "/metrics")
    assert raw[1]["content-type"].startswith("text/plain; version=0.0.4")
    sample = re.compile(r'[a-z_]+(\{[a-z_]+="[^"\\\n]*"(,[a-z_]+="[^"\\\n]*")*\})? -?\d+(\.\d+)?')
    named: set[str] = set()
    for line in raw[2].decode().splitlines():
        if line.startswith("# TYPE "):
            name, kind = line.split()[2:]
            assert name not in named
            assert kind in ("counter", "gauge", "histogram")
            assert kind != "counter" or name.endswith("_total")
            named |= {f"{name}_{part}" for part in ("bucket", "sum", "count")} if kind == "histogram" else {name}
        elif not line.startswith("# HELP "):
            assert sample.fullmatch(line), line
            assert line.partition(" ")[0].partition("{")[0] in named


# -- drain ------------------------------------------------------------------------------------------------------------


def test_draining_by_hand_can_be_taken_back(gateway: Gateway) -> None:
    assert good(gateway, "POST", "/drain")["draining"] is True
    try:
        until(lambda: ask(gateway.url, "GET", "/readyz")[0] == 503, 1.0, "unready")
        status, headers, _ = message(gateway)
        assert (status, headers["connection"]) == (503, "close")
        assert gateway.process.poll() is None
    finally:
        assert good(gateway, "DELETE", "/drain")["draining"] is False
    assert ask(gateway.url, "GET", "/readyz")[0] == 200
    assert message(gateway)[0] == 200


def test_the_log_holds_no_secret(gateway: Gateway) -> None:
    text = Path(gateway.directory / "gateway.log").read_text()
    for secret in (TOKEN, KEY, "provider-key-of-the-gateway"):
        assert secret not in text
    assert "Traceback" not in text
