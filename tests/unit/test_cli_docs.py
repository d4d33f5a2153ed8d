"""The documents say what the code does: generated pages are current, documented commands run, tables match."""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from docs import generate
from fastgate import errors
from fastgate.cli.demo_world import ALICE, exports
from fastgate.cli.options import Command
from fastgate.cli.root import root
from tests.support.command import ROOT
from tests.support.demo import RunningDemo

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FOREGROUND = {"serve", "demo", "simulate"}
"""Commands that run until they are stopped: their lines are parsed, not run."""
LIVE = {"top": ["--once"]}
"""What makes a command that runs until it is stopped show one view instead."""

BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")


def commands_in(page: Path) -> Iterator[list[str]]:
    """The `fastgate …` lines of a page's shell blocks, as words without the command itself."""
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in block.splitlines():
            for part in line.split("&&"):
                words = shlex.split(part, comments=True)
                if words[:1] == ["fastgate"]:
                    yield words[1:]


DOCUMENTED = sorted({tuple(words) for page in PAGES for words in commands_in(page)})


def test_generated_pages_are_current() -> None:
    assert generate.stale() == [], "run `python docs/generate.py`"


REQUEST = '{"model": "claude-sonnet-4-5", "max_tokens": 64, "messages": [{"role": "user", "content": "hi"}]}'
PROPOSED = "budgets: [{id: alice-day, level: user, of: alice, period: day, usd: 20}]\n"


def test_there_are_commands_to_check() -> None:
    assert {"init", "check", "serve", "demo", "keys", "calls", "spend", "apply"} <= {words[0] for words in DOCUMENTED}


@pytest.mark.parametrize("words", DOCUMENTED, ids=" ".join)
def test_documented_commands_parse(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []
    monkeypatch.setattr(Command, "invoke", lambda self, _context: ran.append(self.name))
    assert root.main(list(words), standalone_mode=False) in (0, None)
    assert len(ran) == 1
    assert ran[0] in words[:2]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    running = RunningDemo(tmp_path_factory.mktemp("docs"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def call(demo: RunningDemo) -> str:
    """A call that the commands can show, in a folder with the files that they read."""
    directory = demo.folder / "fastgate-data" / "demo" / "directory.yaml"
    (demo.folder / "directory.yaml").write_text(directory.read_text())
    (demo.folder / "proposed.yaml").write_text(PROPOSED)
    (demo.folder / "request.json").write_text(REQUEST)
    made = demo.wire.ask(ALICE.secret, "hi").headers["x-fastgate-call-id"]
    demo.until(lambda: demo.command("calls", "show", made, "--json").code == 0 or None)
    return made


@pytest.mark.parametrize("words", [w for w in DOCUMENTED if w[0] not in FOREGROUND], ids=" ".join)
def test_documented_commands_run(demo: RunningDemo, call: str, words: tuple[str, ...]) -> None:
    real = {"CALL-ID": call, "MODEL": "claude-sonnet-4-5", "BUDGET": "documented"}
    if "KEY" in words:
        real["KEY"] = demo.command("keys", "create", "--user", "alice", "--json").json["id"]
    if "BUDGET" in words:
        demo.command("budgets", "set", "documented", "--user", "alice", "--period", "day", "--usd", "50")
    line = [real.get(word, word) for word in words] + LIVE.get(words[0], [])
    if words[0] == "init":
        line = ["init", str(demo.folder / "elsewhere"), "--force"]
    mine = {"ANTHROPIC_BASE_URL": f"http://{demo.wire.address}", "ANTHROPIC_AUTH_TOKEN": ALICE.secret}
    done = demo.command(*line, env=mine)
    assert done.code == 0, done.err


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_developers_page_names_what_the_demo_exports() -> None:
    page = (ROOT / "docs" / "claude-code.md").read_text(encoding="utf-8")
    for line in exports("127.0.0.1:8080", "sk-fg-…"):
        assert line.partition("=")[0] in page


UNSEEN = {"client_gone"}
"""Nobody is there to read it."""
SAMPLES: dict[str, Any] = {"str": "x", "int": 1, "tuple[str, ...]": ("a",), "Kind": errors.Kind.CONNECT}


def refusals() -> dict[str, errors.GatewayError]:
    """One of each error that the gateway can answer with, by the name of its function."""
    made = {}
    for name, function in inspect.getmembers(errors, inspect.isfunction):
        signature = inspect.signature(function)
        if signature.return_annotation == "GatewayError" and name not in UNSEEN:
            made[name] = function(*(SAMPLES[given.annotation] for given in signature.parameters.values()))
    return made


REFUSALS = refusals()


@pytest.mark.parametrize("name", REFUSALS)
def test_every_error_is_in_the_table(name: str) -> None:
    error = REFUSALS[name]
    rows = (ROOT / "docs" / "reference" / "errors.md").read_text(encoding="utf-8").splitlines()
    row = [row for row in rows if f"| {error.status} | `{error.type}` |" in row]
    assert row
    for header, value in error.headers:
        said = header if header == "retry-after" else f"{header}: {value}"
        assert any(f"`{said}`" in line for line in row), f"{said} is in no row of {error.status} {error.type}"


def test_every_response_header_is_described_and_every_described_one_is_sent(demo: RunningDemo) -> None:
    page = (ROOT / "docs" / "reference" / "headers.md").read_text(encoding="utf-8")
    stream = demo.wire.stream(ALICE.secret, "hi")
    list(stream.lines())
    stream.close()
    answers = [demo.wire.ask(ALICE.secret, "hi").headers, stream.headers]
    sent = {name for headers in answers for name in headers if name.startswith("x-fastgate-")}
    described = set(re.findall(r"^\| `(x-fastgate-[a-z-]+)` \|", page, re.MULTILINE))
    assert sent == described
    classic = {name.removeprefix("x-agentcc-") for headers in answers for name in headers if "agentcc" in name}
    assert classic - {"cost-bound"} == set(re.findall(r"`-(model-used|cost|latency-ms|provider|cache)`", page))
