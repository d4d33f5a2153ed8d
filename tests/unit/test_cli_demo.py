"""The demo as it runs, and every command against it: the real processes, the real control plane, real calls."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import pty
import re
import select
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from fastgate.cli.demo_world import ALICE, BOB, CAROL, DEVELOPERS, MODEL
from fastgate.cli.tour.run import STOPS
from tests.support.command import environment, fastgate
from tests.support.demo import RunningDemo, free_pair


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    running = RunningDemo(tmp_path_factory.mktemp("demo"))
    yield running
    assert running.stop() == 0


def test_it_tells_what_a_developer_needs(demo: RunningDemo) -> None:
    told = demo.told
    assert told["listen"] == f"127.0.0.1:{demo.port}"
    assert [key["secret"] for key in told["keys"]] == [dev.secret for dev in DEVELOPERS]
    assert set(told["providers"]) == {"demo-a", "demo-b"}
    exports = dict(line.removeprefix("export ").split("=", 1) for line in told["keys"][0]["exports"])
    assert exports == {
        "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{demo.port}",
        "ANTHROPIC_AUTH_TOKEN": ALICE.secret,
        "CLAUDE_CODE_GATEWAY_HINT_HEADERS": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "NO_PROXY": "127.0.0.1",
    }


def test_its_curl_line_is_a_call_that_works(demo: RunningDemo) -> None:
    words = shlex.split(demo.told["curl"])
    assert words[2] == f"http://127.0.0.1:{demo.port}/v1/messages"
    assert f"x-api-key: {ALICE.secret}" in words
    body = json.loads(words[-1])
    answer = demo.wire.ask(ALICE.secret, body["messages"][0]["content"], body["model"])
    assert answer.status == 200


def test_its_run_file_is_where_commands_look_and_private(demo: RunningDemo) -> None:
    run = demo.folder / "fastgate-data" / "run.json"
    assert run.resolve() == demo.folder / "fastgate-data" / "demo" / "run.json"
    assert run.stat().st_mode & 0o777 == 0o600
    assert json.loads(run.read_text())["pid"] == demo.process.pid


def test_a_call_is_listed_shown_and_summed_to_the_nano_dollar(demo: RunningDemo) -> None:
    answer = demo.wire.ask(CAROL.secret, "say hi")
    call_id = answer.headers["x-fastgate-call-id"]
    shown = demo.until(
        lambda: done.json if (done := demo.command("calls", "show", call_id, "--json")).code == 0 else None
    )
    assert (shown["user"], shown["cost_center"], shown["model_used"]) == ("carol", "CC-1002", MODEL)
    assert shown["cost"] == answer.headers["x-fastgate-cost"]
    listed = demo.command("calls", "list", "--user", "carol", "--json").json
    assert set(listed) == {"items", "next"}
    assert {call["user"] for call in listed["items"]} == {"carol"}
    sums = demo.command("spend", "--by", "user", "--user", "carol", "--json").json["items"]
    assert Decimal(sums[0]["cost"]) == sum(Decimal(call["cost"]) for call in listed["items"])
    as_text = demo.command("calls", "list").out
    assert call_id in as_text
    assert shown["cost"] in as_text
    assert shown["cost"] in demo.command("calls", "show", call_id).out


def test_listings_turn_pages(demo: RunningDemo) -> None:
    made = [demo.wire.ask(BOB.secret, f"page {n}").headers["x-fastgate-call-id"] for n in range(3)]
    demo.until(lambda: demo.command("calls", "show", made[-1], "--json").code == 0 or None)
    seen: list[str] = []
    cursor: list[str] = []
    while True:
        page = demo.command("calls", "list", "--user", "bob", "--limit", "2", *cursor, "--json").json
        seen += [call["id"] for call in page["items"]]
        if page["next"] is None:
            break
        cursor = ["--cursor", page["next"]]
    assert len(seen) == len(set(seen))
    assert set(made) <= set(seen)
    keys = demo.command("keys", "list", "--limit", "1", "--json").json
    assert keys["next"] is not None


def test_spend_takes_fields_with_commas_and_repeated(demo: RunningDemo) -> None:
    demo.wire.ask(ALICE.secret, "hi")
    joined = demo.command("spend", "--by", "team,user", "--json").json["items"]
    repeated = demo.command("spend", "--by", "team", "--by", "user", "--since", "1h", "--json").json["items"]
    assert {(row["team"], row["user"]) for row in joined} == {(row["team"], row["user"]) for row in repeated}
    assert demo.command("spend", "--by", "nonsense").code == 2
    assert demo.command("spend", "--since", "2199-01-01", "--json").json["items"] == []
    assert "total $" in demo.command("spend").out


def test_spend_as_csv_as_focus_and_with_a_forecast(demo: RunningDemo) -> None:
    call_id = demo.wire.ask(ALICE.secret, "hi").headers["x-fastgate-call-id"]
    demo.until(lambda: demo.command("calls", "show", call_id, "--json").code == 0 or None)
    page = demo.command("spend", "--by", "user,tag:project", "--json").json
    rows = list(csv.DictReader(io.StringIO(demo.command("spend", "--by", "user,tag:project", "--csv").out)))
    assert [(row["user"], row["tag:project"], row["cost"]) for row in rows] == [
        (item["user"], item["tag:project"], item["cost"]) for item in page["items"]
    ]
    exported = list(csv.DictReader(io.StringIO(demo.command("spend", "--focus", "--user", "alice").out)))
    alice = demo.command("spend", "--by", "user", "--user", "alice", "--json").json["total"]
    assert sum(Decimal(row["BilledCost"]) for row in exported) == Decimal(alice["cost"]) > 0
    assert demo.command("spend", "--focus", "--user", "alice", "--json").json["items"] == exported
    ahead = demo.command("spend", "--by", "team", "--forecast", "month", "--json").json
    assert Decimal(ahead["total"]["forecast"]["expected"]) >= Decimal(ahead["total"]["cost"])
    text = demo.command("spend", "--forecast", "month").out
    assert "expected by" in text and "method:" in text
    assert demo.command("spend", "--focus", "--by", "user").code == 2
    assert demo.command("spend", "--csv", "--json").code == 2
    assert demo.command("spend", "--forecast", "month", "--since", "1h").code == 2
    assert demo.command("spend", "--focus", "--tag", "x").code == 2


def test_a_key_lives_from_create_to_revoke(demo: RunningDemo) -> None:
    made = demo.command(
        "keys", "create", "--user", "bob", "--model", "claude-sonnet-*", "--tag", "ci=yes", "--json"
    ).json
    assert made["secret"].startswith("sk-fg-")
    demo.until(lambda: demo.wire.ask(made["secret"], "hi").status == 200 or None)
    assert demo.wire.ask(made["secret"], "hi", "claude-opus-4-5").status == 400
    shown = demo.command("keys", "show", made["id"], "--json").json
    assert "secret" not in shown
    assert shown["tags"] == {"ci": "yes"}
    rotated = demo.command("keys", "rotate", made["id"], "--overlap", "1h", "--json").json
    assert rotated["secret"] != made["secret"]
    demo.until(lambda: demo.wire.ask(rotated["secret"], "hi").status == 200 or None)
    assert demo.wire.ask(made["secret"], "hi").status == 200, "the old secret works on for the overlap"
    assert demo.command("keys", "revoke", made["id"]).out == f"key {made['id']} is revoked.\n"
    for secret in (made["secret"], rotated["secret"]):
        demo.until(lambda secret=secret: demo.wire.ask(secret, "hi").status == 401 or None, 1.0)
    assert demo.command("keys", "show", made["id"], "--json").json["state"] == "revoked"


def test_what_is_not_there_is_1_and_what_is_wrong_is_2(demo: RunningDemo) -> None:
    for words in (("keys", "show", "nobody"), ("keys", "revoke", "nobody"), ("calls", "show", "fg-nothing-1")):
        done = demo.command(*words, "--json")
        assert (done.code, done.error["exit_code"]) == (1, 1)
    for words in (
        ("keys", "create"),
        ("calls", "list", "--since", "soon"),
        ("keys", "create", "--user", "bob", "--tag", "x"),
    ):
        assert demo.command(*words).code == 2
    assert demo.command("keys", "create", "--user", "nobody").code == 1


def test_apply_takes_variables_of_the_typing_shell_and_sends_no_secret(demo: RunningDemo) -> None:
    secret = "a-key-of-another-gateway-0123456789"
    declared = (demo.folder / "fastgate-data" / "demo" / "directory.yaml").read_text()
    extra = "  - {id: bob-old, user: bob, secret: ${BOB_KEY}, tags: {from: 'else: where'}, expires: 2199-01-01}\n"
    (demo.folder / "people.yaml").write_text(declared + extra)
    assert demo.command("apply", "-f", "people.yaml").code == 2, "the variable is not set"
    dry = demo.command("apply", "-f", "people.yaml", "--dry-run", "--json", env={"BOB_KEY": secret})
    assert [(change["action"], change["id"]) for change in dry.json["changes"]] == [("create", "bob-old")]
    assert demo.wire.ask(secret, "hi").status == 401
    done = demo.command("apply", "-f", "people.yaml", env={"BOB_KEY": secret})
    assert done.code == 0
    assert "create   key bob-old" in done.out
    assert "replaces this at the next start" in done.err
    demo.until(lambda: demo.wire.ask(secret, "hi").status == 200 or None)
    shown = demo.command("keys", "show", "bob-old", "--json").json
    assert (shown["origin"], shown["tags"]) == ("declared", {"from": "else: where"})
    assert shown["expires"].startswith("2199-01-01T00:00:00")
    again = demo.command("apply", "-f", "people.yaml", "--json", env={"BOB_KEY": secret})
    assert again.json["changes"] == []


def test_top_shows_one_view(demo: RunningDemo) -> None:
    demo.wire.ask(ALICE.secret, "hi")
    seen = demo.command("top", "--json").json
    assert seen["status"]["listen"] == demo.told["listen"]
    assert len(seen["status"]["workers"]) == 2
    drawn = demo.command("top", "--once")
    assert drawn.code == 0
    assert "last minute" in drawn.out


LISTINGS = {
    "calls list": "id",
    "keys list": "id",
    "budgets list": "id",
    "audit list": "id",
    "guards show": "use",
    "prices show": "model",
    "cache stats": "team",
}
"""And what people copy out of each."""


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("listing", LISTINGS)
def test_listings_fit_a_terminal_and_break_no_id(demo: RunningDemo, listing: str, width: int) -> None:
    name = LISTINGS[listing]
    demo.wire.ask(ALICE.secret, "hi")
    items = demo.until(lambda: demo.command(*listing.split(), "--json").json["items"] or None)
    shown = in_terminal(demo, width, *listing.split())
    assert max(len(line) for line in shown.splitlines()) <= width
    if listing == "prices show":
        items = [item for item in items if item["kind"] == "anthropic"]
    assert [item[name] for item in items if item[name] not in shown] == [], shown


def in_terminal(demo: RunningDemo, width: int, *words: str) -> str:
    """What a command shows in a terminal of so many columns."""
    leader, follower = pty.openpty()
    env = environment({"TERM": "xterm", "NO_COLOR": "1", "COLUMNS": str(width)})
    command = [sys.executable, "-m", "fastgate.cli", *words]
    process = subprocess.Popen(command, cwd=demo.folder, env=env, stdin=follower, stdout=follower, stderr=follower)
    os.close(follower)
    shown = b""
    try:
        with contextlib.suppress(OSError):  # how a terminal ends whose last process is gone
            while piece := os.read(leader, 65536):
                shown += piece
        assert process.wait(20) == 0, shown
    finally:
        os.close(leader)
    return re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).replace("\r\n", "\n")


def test_top_lives_in_a_terminal_until_ctrl_c(demo: RunningDemo) -> None:
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "fastgate.cli", "top"],
        cwd=demo.folder,
        env=environment({"TERM": "xterm", "COLUMNS": "160", "LINES": "40"}),
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)
    shown = b""
    try:
        while shown.count(b"last minute") < 2:
            assert select.select([leader], [], [], 20)[0], "it is drawn again within seconds"
            shown += os.read(leader, 65536)
        process.send_signal(signal.SIGINT)
        while select.select([leader], [], [], 20)[0]:
            try:
                shown += os.read(leader, 65536)
            except OSError:
                break
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        os.close(leader)
    assert b"serving on" in shown
    assert b"Traceback" not in shown


def test_doctor_is_content_with_the_demo(demo: RunningDemo) -> None:
    done = demo.command("doctor", "--json")
    assert done.code == 0, done.out
    assert done.json["ok"] is True
    said = {finding["id"]: finding["message"] for finding in done.json["items"]}
    assert said["workers"] == "2 of 2 workers run, event loop uvloop"
    assert "drain_s 30" in said["limits"]
    assert {worker["loop"] for worker in done.json["status"]["workers"]} == {"uvloop"}
    assert demo.command("doctor").out.splitlines()[0].startswith("ok")


def test_doctor_of_an_instance_does_not_want_its_provider_key_here(demo: RunningDemo) -> None:
    """The gateway has it; the shell that asks need not."""
    config = demo.folder / "fastgate-data" / "demo" / "fastgate.yaml"
    written = config.read_text()
    config.write_text(written.replace("scripted-provider", "${NOT_IN_THIS_SHELL}"))
    try:
        findings = demo.command("doctor", "--json").json["items"]
    finally:
        config.write_text(written)
    assert [finding for finding in findings if finding["id"] == "provider-key" and finding["severity"] != "ok"] == []


def test_a_second_gateway_in_the_same_place_is_refused(demo: RunningDemo) -> None:
    done = demo.command("demo", "--port", str(free_pair()))
    assert done.code == 1
    assert "runs in fastgate-data already" in done.err


def test_while_it_runs_nobody_else_writes_its_state(demo: RunningDemo) -> None:
    """Without run.json a command takes the state itself, and is politely told who has it."""
    state = demo.folder / "fastgate-data" / "demo"
    hidden = state / "run.hidden"
    (state / "run.json").rename(hidden)
    try:
        done = demo.command("keys", "create", "--user", "bob", "-c", str(state / "fastgate.yaml"))
    finally:
        hidden.rename(state / "run.json")
    assert done.code == 1
    assert "is being written by" in done.err


def test_no_gateway_is_3(tmp_path: Path) -> None:
    for words in (("calls", "list"), ("keys", "list"), ("spend",), ("top",)):
        done = fastgate(*words, "--json", cwd=tmp_path)
        assert (done.code, done.error["exit_code"]) == (3, 3)


def test_ctrl_c_ends_it_with_0_and_a_second_start_knows_the_same_keys(tmp_path: Path) -> None:
    first = RunningDemo(tmp_path)
    call_id = first.wire.ask(ALICE.secret, "hi").headers["x-fastgate-call-id"]
    assert first.stop() == 0
    assert not (tmp_path / "fastgate-data" / "run.json").is_symlink()
    kept = fastgate("calls", "show", call_id, "-c", "fastgate-data/demo/fastgate.yaml", "--json", cwd=tmp_path)
    assert kept.json["user"] == "alice", "a stopped gateway's calls are read from its state"
    second = RunningDemo(tmp_path, first.port)
    assert second.told["keys"] == first.told["keys"]
    assert second.wire.ask(ALICE.secret, "hi").status == 200
    assert second.stop() == 0


def test_the_tour_is_as_told(tmp_path: Path) -> None:
    done = fastgate("demo", "--tour", "--json", cwd=tmp_path)
    told = {stop["stop"]: stop.get("error") for stop in done.json["items"]}
    assert told == dict.fromkeys(stop.name for stop in STOPS)
    assert (done.code, done.json["ok"]) == (0, True)
    assert all(stop["repeat"] and stop["shown"] for stop in done.json["items"])
    assert list(tmp_path.iterdir()) == []
