"""The pieces under the commands: the control plane's client, moments, tables, the running instance, the demo."""

from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from fastgate import runinfo
from fastgate.cli import output
from fastgate.cli.demo_world import DEVELOPERS, TEAMS, config_yaml, curl_line, directory_yaml, write_files
from fastgate.cli.dollars import Dollars
from fastgate.cli.failures import BadInput, Failure, Refused, Unreachable
from fastgate.cli.instance import find_place, lenient_environ, read_run, state_of
from fastgate.cli.moments import LONGEST_S, UNITS_S, Moment, duration_s
from fastgate.cli.options import Command
from fastgate.cli.output import Column, cell, fitting, listing, needed
from fastgate.cli.remote import Remote, segment, with_query
from fastgate.config import load_config
from fastgate.directory import load_directory
from fastgate.keys import check_form
from fastgate.times import parse_moment
from tests.support.command import fastgate, invoke

DEAD_PID = 2**22 + 1
"""Above the kernel's largest process id (PID_MAX_LIMIT)."""


class Answers(BaseHTTPRequestHandler):
    """Answers as told by the server's `plan`, and keeps what it was asked."""

    def handle_one(self) -> None:
        server: Any = self.server
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        server.asked.append((self.command, self.path, dict(self.headers.items()), body))
        status, answer = server.plan
        raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    do_GET = do_POST = handle_one  # noqa: N815 - the base class names them

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def server() -> Iterator[Any]:
    running: Any = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    running.asked, running.plan = [], (200, {})
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


def remote(server: Any) -> Remote:
    return Remote(f"127.0.0.1:{server.server_port}", "token-of-the-test")


def test_remote_sends_the_token_and_leaves_out_empty_filters(server: Any) -> None:
    server.plan = (200, {"items": [1], "next": None})
    assert remote(server).get("/api/v1/x", {"user": "a b", "team": "", "tag": ["x=1", "y=2"]}) == server.plan[1]
    method, path, headers, _ = server.asked[0]
    assert (method, path) == ("GET", "/api/v1/x?user=a+b&tag=x%3D1&tag=y%3D2")
    assert {name.lower(): value for name, value in headers.items()}["authorization"] == "Bearer token-of-the-test"


def test_remote_posts_json_and_takes_an_empty_answer(server: Any) -> None:
    server.plan = (204, b"")
    assert remote(server).post("/api/v1/x", {"a": "ü"}) is None
    assert json.loads(server.asked[0][3]) == {"a": "ü"}


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, BadInput), (422, BadInput), (401, Refused), (403, Refused), (404, Refused), (409, Refused), (500, Refused),
     (503, Unreachable), (302, Refused)],
)  # fmt: skip
def test_remote_turns_a_status_into_the_exit_code(server: Any, status: int, kind: type[Failure]) -> None:
    server.plan = (status, {"type": "error", "error": {"type": "x", "message": "because"}, "request_id": "r"})
    with pytest.raises(Failure) as caught:
        remote(server).get("/")
    assert type(caught.value) is kind
    assert status == 401 or caught.value.message == "because"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'{"error": 3}', b'{"detail": "d"}'])
def test_remote_survives_an_answer_that_is_no_error_body(server: Any, body: bytes) -> None:
    server.plan = (500, body)
    with pytest.raises(Refused) as caught:
        remote(server).get("/")
    assert caught.value.message


def test_remote_without_anybody_there_is_unreachable() -> None:
    with pytest.raises(Unreachable) as caught:
        Remote("127.0.0.1:1", "t", timeout_s=1).get("/")
    assert caught.value.exit_code == 3
    assert "127.0.0.1:1" in caught.value.message


@given(st.text(min_size=1, max_size=20).filter(lambda text: not any(0xD800 <= ord(char) <= 0xDFFF for char in text)))
def test_an_id_stays_one_path_segment(value: str) -> None:
    assert "/" not in segment(value)
    assert "?" not in segment(value)
    assert with_query("/x", {"q": value}).startswith("/x?q=")


@given(st.integers(0, 10**9), st.sampled_from(sorted(UNITS_S)))
def test_durations(count: int, unit: str) -> None:
    seconds = count * UNITS_S[unit]
    assert duration_s(f"{count}{unit}") == (seconds if seconds <= LONGEST_S else None)


@pytest.mark.parametrize("text", ["", "d", "1", "1y", "-1d", "1.5h", "1 d", "99999999999d"])
def test_what_is_no_duration(text: str) -> None:
    assert duration_s(text) is None


def test_moments_are_ago_or_ahead_or_as_written() -> None:
    ago, ahead = (parse_moment(Moment(ahead=later).convert("1h", None, None)) for later in (False, True))
    assert abs(ahead - ago - 2 * 3600 * 10**9) < 5 * 10**9
    assert Moment().convert("2027-01-01", None, None) == "2027-01-01T00:00:00.000Z"
    assert Moment().convert("2027-01-01T01:00:00+01:00", None, None) == "2027-01-01T00:00:00.000Z"
    with pytest.raises(click.BadParameter):
        Moment().convert("yesterday", None, None)


def test_cells_say_nothing_clearly() -> None:
    assert [cell(value) for value in (None, "", [], {}, 0, False, True)] == ["-", "-", "-", "-", "0", "no", "yes"]
    assert cell({"a": 1, "b": ["x", "y"]}) == "a=1 b=x y"


def test_no_cell_reaches_the_terminal_as_a_command() -> None:
    assert cell("a\x1b[2Jb\nc") == "a\\x1b[2Jb\\x0ac"
    assert cell({"tag": "\x07"}) == "tag=\\x07"


def table(*words: str, items: list[dict[str, Any]], following: str | None) -> str:
    from click.testing import CliRunner

    @click.command("t", cls=Command)
    def show() -> None:
        listing(items, [Column("name", "name"), Column("cost", "cost", "right")], following, empty="nobody")

    return CliRunner().invoke(show, list(words)).stdout


def test_a_listing_is_a_table_or_a_page_of_json() -> None:
    items = [{"name": "ann", "cost": "1.000000000", "more": [1]}, {"name": "[red]bo[/red]", "cost": "0.5"}]
    assert json.loads(table("--json", items=items, following="c1")) == {"items": items, "next": "c1"}
    lines = table(items=items, following="c1").splitlines()
    assert lines[0].split() == ["name", "cost"]
    assert lines[1].split() == ["ann", "1.000000000"]
    assert lines[2].split() == ["[red]bo[/red]", "0.5"], "a value is never taken for markup"
    assert lines[-1] == "more: --cursor c1"
    assert table(items=[], following=None) == "nobody\n"
    assert json.loads(table("--json", items=[], following=None)) == {"items": [], "next": None}


WORDS = Column("words", "words", prose=True)
RANKED = [Column("id", "id"), Column("n", "n", "right", rank=2), WORDS, Column("more", "more", rank=1)]


@given(st.integers(30, 90), st.lists(st.text("abc -é漢", max_size=40), min_size=1, max_size=4))
def test_a_narrow_terminal_loses_columns_before_it_breaks_a_cell(width: int, texts: list[str]) -> None:
    rows = [{"id": f"fg-06h1rxxvbt0e-{n}", "n": n, "words": text, "more": text} for n, text in enumerate(texts)]
    kept = fitting(rows, RANKED, width)
    assert [column for column in RANKED if column in kept] == kept
    left = [column.rank for column in RANKED if column not in kept]
    assert all(rank > 0 for rank in left) and min(left, default=3) >= max((c.rank for c in kept), default=0)
    screen = io.StringIO()
    Console(file=screen, width=width).print(output.table(rows, RANKED, width))
    shown = screen.getvalue()
    assert all(cell_len(line) <= width for line in shown.splitlines())
    if needed(rows, kept) <= width:
        assert all(row["id"] in shown for row in rows)
    assert ("want of room" in " ".join(shown.split())) is (len(kept) < len(RANKED))


def running(folder: Path, pid: int, config: str = "") -> runinfo.RunInfo:
    info = runinfo.RunInfo(pid, "127.0.0.1:1", "127.0.0.1:2", "t", config, "2027-01-01T00:00:00.000Z", 1, str(folder))
    folder.mkdir(parents=True, exist_ok=True)
    runinfo.write(folder / "run.json", info)
    return info


def test_a_running_instance_is_found_and_a_dead_one_is_not(tmp_path: Path) -> None:
    info = running(tmp_path, os.getpid())
    assert read_run(tmp_path) == info
    running(tmp_path, DEAD_PID)
    assert read_run(tmp_path) is None
    (tmp_path / "run.json").write_text("not json")
    assert read_run(tmp_path) is None
    assert read_run(tmp_path / "nowhere") is None


def test_the_place_of_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("FASTGATE_CONFIG", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    command = click.Context(Command("t"))
    with command.scope():
        with pytest.raises(Unreachable):
            find_place()
        info = running(tmp_path / "fastgate-data", os.getpid())
        place = find_place()
        assert (place.config, place.running, place.state) == (None, info, tmp_path / "fastgate-data")
        Path("fastgate.yaml").write_text("version: 1\nstate: elsewhere\nendpoints: [{api_key: ${ANTHROPIC_API_KEY}}]\n")
        place = find_place()
        assert (place.config, place.running, place.state) == (Path("fastgate.yaml"), None, tmp_path / "elsewhere")
        Path("fastgate.yaml").write_text("version: 1\nendpoints: []\n")
        assert find_place().running == info
        pointed = running(tmp_path / "fastgate-data" / "demo", os.getpid())
        Path("fastgate-data/run.json").unlink()
        Path("fastgate-data/run.json").symlink_to("demo/run.json")
        assert find_place().running is None, "the demo is not the gateway of this configuration"
        Path("fastgate.yaml").unlink()
        assert find_place().running == pointed


def test_the_state_directory_is_read_without_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f.yaml"
    path.write_text("nonsense: 1\nstate: ${WHERE}/x\n")
    monkeypatch.setenv("WHERE", "sub")
    assert state_of(path) == tmp_path / "sub" / "x"
    path.write_text("version: 1\n")
    assert state_of(path) == tmp_path / "fastgate-data"
    path.write_text("state: ${UNSET_FOR_SURE}\n")
    with pytest.raises(BadInput):
        state_of(path)
    path.write_text("a: [")
    with pytest.raises(BadInput):
        state_of(path)


def test_a_variable_of_this_shell_wins_over_its_stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f.yaml"
    path.write_text("a: ${HERE}\nb: ${GONE}\n")
    monkeypatch.setenv("HERE", "value")
    monkeypatch.delenv("GONE", raising=False)
    environ = lenient_environ(path)
    assert (environ["HERE"], bool(environ["GONE"])) == ("value", True)


def test_the_demo_world_is_a_valid_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-test")
    for providers in ({"demo-a": "http://127.0.0.1:9001", "demo-b": "http://127.0.0.1:9002"}, {}):
        path = write_files(tmp_path, config_yaml("127.0.0.1:8080", "127.0.0.1:8081", 2, providers))
        config, _ = load_config(path, os.environ)
        assert config.state == str(tmp_path)
        assert [endpoint.name for endpoint in config.endpoints] == (list(providers) or ["anthropic"])
        assert config.headers.also == ("x-agentcc",)
        directory, warnings = load_directory(Path(config.directory or ""), os.environ)
        assert warnings == []
        assert len(directory.orgs) == 1
        assert {team.id: team.cost_center for team in directory.teams} == TEAMS
        assert [key.id for key in directory.keys] == [dev.key for dev in DEVELOPERS]


def test_the_demo_keys_are_fixed_and_well_formed() -> None:
    assert len({dev.secret for dev in DEVELOPERS}) == 3
    assert {check_form(dev.secret) for dev in DEVELOPERS} == {"wellformed"}
    assert directory_yaml() == directory_yaml()
    assert DEVELOPERS[0].secret.startswith("sk-fg-demoAliceLoopbackOnly")


def test_the_curl_line_survives_a_shell(tmp_path: Path) -> None:
    import shlex

    words = shlex.split(curl_line("127.0.0.1:8080", "sk-fg-x", "-i", prompt='say "hi" [[sim:error message="a b"]]'))
    assert words[:4] == ["curl", "-s", "-i", "http://127.0.0.1:8080/v1/messages"]
    assert json.loads(words[-1])["messages"][0]["content"] == 'say "hi" [[sim:error message="a b"]]'


def test_the_demo_refuses_what_would_publish_its_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = invoke("demo", "--host", "0.0.0.0", "--json")
    assert (done.code, done.error["exit_code"]) == (2, 2)
    (tmp_path / "fastgate.yaml").write_text(config_yaml("0.0.0.0:18080", "127.0.0.1:18081", 1, {"a": "http://h:1"}))
    (tmp_path / "directory.yaml").write_text(directory_yaml())
    served = invoke("serve", "--json")
    assert served.code == 1
    assert "alice-laptop" in served.error["message"]


def test_demo_live_wants_a_key_of_anthropics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert invoke("demo", "--live").code == 2
    done = invoke("demo", "--live", env={"ANTHROPIC_API_KEY": DEVELOPERS[0].secret})
    assert done.code == 1
    assert "fastgate key" in done.err


def test_demo_says_which_port_is_taken_and_what_to_do(server: Any, tmp_path: Path) -> None:
    port = server.server_port
    done = fastgate("demo", "--port", str(port), cwd=tmp_path)
    assert done.code == 1
    assert f"port {port} is taken by" in done.err
    assert "fix: fastgate demo --port " in done.err
    assert list(tmp_path.iterdir()) == []


def test_serve_without_a_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = invoke("serve")
    assert done.code == 2
    assert "fastgate init" in done.err


@pytest.mark.parametrize(("secret", "form", "code"), [(0, "wellformed", 0), (1, "typo", 1), (2, "foreign", 0)])
def test_keys_verify(secret: int, form: str, code: int) -> None:
    good = DEVELOPERS[0].secret
    done = invoke("keys", "verify", (good, good[:-1] + "9", "sk-other-0123456789")[secret], "--json")
    assert (done.code, done.json["form"]) == (code, form)


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("abc", "is no amount"),
        ("NaN", "is no amount"),
        ("Infinity", "is no amount"),
        ("1e3", "is no amount"),
        ("1_000", "is no amount"),
        ("٣", "is no amount"),
        ("", "is no amount"),
        ("0", "must be more than 0"),
        ("-5", "must be more than 0"),
        ("50000001", "at most 50000000"),
        ("9" * 30, "at most 50000000"),
        ("0.0000000001", "more than 9 decimal places"),
        (f"1.{'0' * 28}1", "more than 9 decimal places"),
    ],
)
def test_an_amount_that_is_none_is_bad_input_of_every_command(typed: str, told: str) -> None:
    for words in (
        ("set", "b", "--user", "u", "--period", "day", "--usd", typed),
        ("raise", "b", "--until", "1d", "--reason", "r", "--usd", typed),
        ("ask", "b", "--until", "1d", "--reason", "r", "--usd", typed),
    ):
        done = invoke("budgets", *words)
        assert (done.code, told in done.err) == (2, True), (done.code, done.err)


@given(st.decimals(min_value="0.000000001", max_value=50_000_000, places=9))
def test_an_amount_is_taken_exactly(amount: Decimal) -> None:
    for typed in (f"{amount:f}", f"${amount:f}"):
        assert Dollars().convert(typed, None, None) == amount
