"""`fastgate statusline`: what it says of every answer, that it never fails, and what it imports."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from fastgate import tags
from fastgate.cli import statusline
from tests.support.command import environment, fastgate, invoke

NOW = datetime.now(UTC)


def budget(name: str = "alice-month", **changes: Any) -> dict[str, Any]:
    return {
        "id": name,
        "level": "user",
        "of": "alice",
        "period": "month",
        "mode": "hard",
        "limit": "100.000000000",
        "ceiling": "110.000000000",
        "spent": "97.660000000",
        "held": "0.000000000",
        "remaining": "12.349999999",
        "stage": "ok",
        "resets_at": None,
    } | changes


def me(*budgets: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"key": "laptop", "user": "alice", "team": "t", "org": "o", "budgets": list(budgets)} | changes


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (me(), "alice: no budget applies"),
        (me(user=None), "laptop: no budget applies"),
        (me(budget()), "$12.34 left of $110.00 (alice-month)"),
        (me(budget(ceiling=None, mode="soft")), "$12.34 left of $100.00 (alice-month)"),
        (me(budget("wide", remaining="50.0"), budget("tight", remaining="3.0")), "$3.00 left of $110.00 (tight)"),
        (me(budget(stage="downgrade")), "$12.34 left of $110.00 (alice-month, downgrade)"),
        (me(budget(remaining="-1.500000000", stage="pause")), "$0.00 left of $110.00 (alice-month, pause)"),
        (me(budget(increases=[{"usd": "5.0", "until": "x"}])), "$12.34 left of $110.00 (alice-month, raised)"),
        (
            me(budget(), budget("one-session", of="session=*", remaining="1.0", ceiling="40.0")),
            "$12.34 left of $110.00 (alice-month) · $1.00 left of $40.00 (this session)",
        ),
        (
            me(budget(), pauses=[{"level": "team", "of": "t", "by": "admin:eva", "reason": "audit", "until": None}]),
            "paused: team t by admin:eva: audit",
        ),
    ],
)
def test_the_line(answer: dict[str, Any], shown: str) -> None:
    assert statusline.line(answer) == shown


def test_when_it_resets_is_an_hour_or_a_day() -> None:
    soon, later = NOW + timedelta(hours=2), NOW + timedelta(days=9)
    assert f"resets at {soon.astimezone():%H:%M})" in statusline.line(me(budget(resets_at=soon.isoformat())))
    local = later.astimezone()
    shown = statusline.line(me(budget(resets_at=later.isoformat().replace("+00:00", "Z"))))
    assert f"resets on {local.day} {local:%b})" in shown


def test_colours_are_for_terminals_that_want_them() -> None:
    assert statusline.line(me(budget(stage="pause")), colours=True).startswith("\x1b[31m$12.34 left\x1b[0m of")
    assert "\x1b" not in statusline.line(me(budget(stage="pause")))


@pytest.mark.parametrize(
    ("base", "split"),
    [
        ("http://h:8080", (False, "h", 8080, "")),
        ("http://h:8080/v1", (False, "h", 8080, "")),
        ("http://h/", (False, "h", 80, "")),
        ("https://h/gate/", (True, "h", 443, "/gate")),
        ("http://[::1]:80", (False, "::1", 80, "")),
        ("http://[::1]", (False, "::1", 80, "")),
    ],
)
def test_addresses(base: str, split: tuple[bool, str, int, str]) -> None:
    assert statusline._split(base) == split


@pytest.mark.parametrize("base", ["h:80", "ftp://h", "http://", "http://h:x", "http://:80"])
def test_what_is_no_address(base: str) -> None:
    shown = statusline.shown({"ANTHROPIC_BASE_URL": base, "ANTHROPIC_AUTH_TOKEN": "k"}, "")
    assert shown == "fastgate: ANTHROPIC_BASE_URL is no address"


class Gateway(BaseHTTPRequestHandler):
    """Answers what its server was told, and remembers what it was asked."""

    def do_GET(self) -> None:
        self.server.seen = self.headers  # type: ignore[attr-defined]
        status, body = self.server.answer  # type: ignore[attr-defined]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server() -> Any:
    served = HTTPServer(("127.0.0.1", 0), Gateway)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    yield served
    served.shutdown()
    served.server_close()


def environ(server: Any) -> dict[str, str]:
    return {"ANTHROPIC_BASE_URL": f"http://127.0.0.1:{server.server_port}", "ANTHROPIC_AUTH_TOKEN": "sk-fg-x"}


def test_it_asks_as_claude_code_does_and_tells_the_session(server: Any) -> None:
    server.answer = 200, json.dumps(me(budget())).encode()
    assert statusline.shown({**environ(server), "NO_COLOR": "1"}, "s-1") == "$12.34 left of $110.00 (alice-month)"
    assert server.seen["authorization"] == "Bearer sk-fg-x"
    assert server.seen["x-claude-code-session-id"] == "s-1"


def test_it_sets_the_tags_that_claude_code_sets(server: Any) -> None:
    assert statusline.TAG == tags.HEADER
    server.answer = 200, json.dumps(me(budget())).encode()
    custom = (
        "X-Fastgate-Tag-experiment: blue\nx-other: 1\n x-fastgate-tag-a:b\nx-fastgate-tag-c\nx-fastgate-tag-d: \u0100\n"
    )
    statusline.shown({**environ(server), "ANTHROPIC_CUSTOM_HEADERS": custom}, "")
    named = {name.lower(): value for name, value in server.seen.items() if name.lower().startswith("x-")}
    assert named == {"x-fastgate-tag-experiment": "blue", "x-fastgate-tag-a": "b"}


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ((401, b"{}"), "fastgate: the gateway does not accept this key"),
        ((200, b"<html>"), "is no fastgate"),
        ((200, b"[]"), "is no fastgate"),
        ((404, b"{}"), "is no fastgate"),
    ],
)
def test_what_is_no_answer_is_said_in_a_few_words(server: Any, answer: tuple[int, bytes], shown: str) -> None:
    server.answer = answer
    assert statusline.shown(environ(server), "").endswith(shown)


def test_nothing_to_ask_is_said_too() -> None:
    assert statusline.shown({}, "") == "fastgate: ANTHROPIC_BASE_URL and ANTHROPIC_AUTH_TOKEN are not set"
    gone = {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9", "ANTHROPIC_API_KEY": "k"}
    assert statusline.shown(gone, "") == "fastgate: 127.0.0.1:9 does not answer"


@pytest.mark.parametrize("told", ['{"session_id": "s-9", "model": {}}', "{}", "nonsense", "", '{"session_id": 3}'])
def test_the_command_reads_what_claude_code_tells_and_always_succeeds(server: Any, tmp_path: Path, told: str) -> None:
    server.answer = 200, json.dumps(me(budget())).encode()
    done = subprocess.run(
        [sys.executable, "-m", "fastgate.cli", "statusline"],
        cwd=tmp_path,
        env=environment({**environ(server), "NO_COLOR": "1"}),
        input=told,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "$12.34 left of $110.00 (alice-month)\n"), done.stderr
    assert server.seen["x-claude-code-session-id"] == ("s-9" if "s-9" in told else None)


def test_as_json_it_is_everything_and_fails_like_any_command(server: Any, tmp_path: Path) -> None:
    server.answer = 200, json.dumps(me(budget())).encode()
    assert invoke("statusline", "--json", env=environ(server)).json == me(budget())
    done = fastgate("statusline", "--json", cwd=tmp_path)
    assert (done.code, done.out) == (3, "")
    assert "ANTHROPIC_BASE_URL" in done.error["message"]


def test_nothing_heavy_is_imported() -> None:
    code = "import sys\nimport fastgate.cli.statusline\nprint(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    loaded = done.stdout
    for name in ("click", "http", "email", "ssl", "msgspec", "asyncio", "urllib", "typing_extensions"):
        assert f"'{name}'" not in loaded, name
