"""Secrets reach no sink of the whole product: keys of ours and of the provider, what was said, a secret that a guard
hides. After calls of every outcome all files, the log, the admin API, the metrics and the command line are searched.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from fastgate.sim.behaviour import Behaviour
from tests.support.admin import TOKEN, admin, ask, message, until
from tests.support.gateway import KEY, PROVIDER_KEY, Gateway, serving
from tests.support.sim import running

pytestmark = pytest.mark.e2e

PROMPT = "canary-in-the-prompt-7f3a91"
HEADER = "canary-in-a-header-55d0c2"
STRANGER = "sk-fg-canaryofastrangerwhohasnokeyhere0123456789"
HIDDEN = "AKIA" + "Q3EGRDZ7KPLM5XWT"
CANARIES = (KEY, PROVIDER_KEY, TOKEN, STRANGER, PROMPT, HEADER, HIDDEN)

MORE = """\
guards:
  - {use: secrets, action: redact}
cache:
  exact: {ttl_s: 3600, namespace: team}
"""

SETTINGS = {"fastgate.yaml", "directory.yaml", "in-force.yaml"}
"""Where the user himself wrote keys, and the copy of it that is in force."""

COMMANDS = (
    ("calls", "list", "--json"),
    ("spend", "--by", "user", "--json"),
    ("keys", "list", "--json"),
    ("audit", "list", "--json"),
    ("cache", "stats", "--json"),
    ("doctor", "--json"),
    ("check", "--json"),
)

OUTCOMES = (
    Behaviour(),
    Behaviour(status=500),
    Behaviour(status=401),
    Behaviour(cut="rst", cut_event=4, tokens=40, gap_ms=5),
    Behaviour(garbage="binary"),
)


def found_in(data: bytes) -> list[str]:
    return [canary for canary in CANARIES if canary.encode() in data]


def pages(gateway: Gateway) -> list[str]:
    """Every GET of the admin API that needs no name, as its own description lists them."""
    _, _, raw = ask(gateway.control_url, "GET", "/api/openapi.json", authorization=f"Bearer {TOKEN}")
    paths = json.loads(raw)["paths"]
    return [path for path, how in paths.items() if "get" in how and "{" not in path]


def calls(gateway: Gateway, at_least: int) -> list[dict[str, str]]:
    """All calls of the usage table, once there are so many."""
    _, found = admin(gateway, "GET", "/calls?limit=100")
    listed: list[dict[str, str]] = found["items"]
    return listed if len(listed) >= at_least else []


@pytest.mark.promise("P-23", bound="nor in the admin API, the metrics and what commands print")
def test_no_secret_is_in_any_file_page_or_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTGATE_TEST_PROVIDER", PROVIDER_KEY)
    monkeypatch.setattr("tests.support.gateway.PROVIDER_KEY", "${FASTGATE_TEST_PROVIDER}")
    with running(tmp_path / "sim") as simulator, serving(tmp_path / "gateway", simulator.url, more=MORE) as gateway:
        for do in OUTCOMES:
            simulator.script(do)
            for stream in (False, True):
                message(gateway, f"say {PROMPT} {HIDDEN}", stream=stream, cookie=HEADER, x_forwarded_for=HEADER)
            simulator.unscript()
        message(gateway, PROMPT, key=STRANGER)
        listed = until(lambda: calls(gateway, 2 * len(OUTCOMES)), 20, "every call is in the usage table")
        told = {path: ask(gateway.control_url, "GET", path, authorization=f"Bearer {TOKEN}") for path in pages(gateway)}
        assert {"/api/v1/calls", "/api/v1/audit", "/api/v1/keys", "/api/v1/endpoints"} <= told.keys()
        told["/metrics"] = ask(gateway.control_url, "GET", "/metrics", authorization=f"Bearer {TOKEN}")
        told["/"] = ask(gateway.control_url, "GET", "/", authorization=f"Bearer {TOKEN}")
        for call in listed:
            path = f"/api/v1/calls/{call['id']}"
            told[path] = ask(gateway.control_url, "GET", path, authorization=f"Bearer {TOKEN}")
        for path, (status, headers, data) in told.items():
            assert status < 500, path
            assert found_in(str(headers).encode() + data) == [], path
        assert re.search(rb'fastgate_calls_total\{outcome="ok"\} [1-9]', told["/metrics"][2])
        for words in COMMANDS:
            done = gateway.cli(*words)
            assert found_in((done.out + done.err).encode()) == [], words
    sent = b"".join(path.read_bytes() for path in (tmp_path / "sim").rglob("*") if path.is_file())
    assert PROVIDER_KEY.encode() in sent and PROMPT.encode() in sent
    assert HIDDEN.encode() not in sent
    files = [path for path in (tmp_path / "gateway").rglob("*") if path.is_file() and path.name not in SETTINGS]
    assert any(path.suffix == ".fgj" for path in files) and any(path.name == "gateway.log" for path in files)
    (copy,) = (path for path in (tmp_path / "gateway").rglob("in-force.yaml"))
    assert copy.stat().st_mode & 0o077 == 0
    caches = [path for path in files if "cache" in path.parts]
    assert caches
    for path in files:
        assert found_in(path.read_bytes()) == [], path
