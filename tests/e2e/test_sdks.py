"""The Anthropic SDKs work through the gateway: Python of both majors and TypeScript.

The majors differ in how they authenticate and in the anthropic-version that they send."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fastgate.sim.scenario import DEFAULT_TOKENS, filler
from tests.e2e.conftest import Route, assert_credential
from tests.support.claude import PEERS
from tests.support.sim import Call

pytestmark = pytest.mark.e2e

CLIENTS = Path(__file__).parent / "clients"
BEARER = {"python-2", "typescript"}
"""The majors of October 2026 send the key as `Authorization: Bearer` and a newer anthropic-version."""

RUN_S = 90.0

REFUSED = "Budget reached. Ask #llm-gw."
REFUSAL = (
    f"""[[sim:error status=429 error_type=billing_error message="{REFUSED}" should_retry=false retry_after=3600]]"""
)

JOBS = {
    "create": ("create", "hello"),
    "stream": ("stream", "hello"),
    "tools": ("stream", "run three in parallel"),
    "thinking": ("stream", "[[sim:thinking]]"),
    "refused-create": ("create", REFUSAL),
    "refused-stream": ("stream", REFUSAL),
    "overloaded": ("create", "[[sim:error status=529 n=1]]"),
}
"""What each SDK is asked to do, in one process: importing an SDK takes longer than all its calls."""


def client(sdk: str) -> tuple[list[str], dict[str, str]]:
    """The command that runs one SDK's client and what it needs in its environment; skips where it is missing."""
    if sdk == "typescript":
        package, node = PEERS / "node_modules/@anthropic-ai/sdk", shutil.which("node")
        if not package.exists() or node is None:
            pytest.skip("the TypeScript SDK is not installed (make peers)")
        return [node, str(CLIENTS / "sdk.mjs")], {"FASTGATE_SDK": str(package / "index.mjs")}
    python = PEERS / f"anthropic-{sdk[-1]}" / "bin/python"
    if not python.exists():
        pytest.skip(f"the Python SDK {sdk[-1]}.x is not installed (make peers)")
    return [str(python), str(CLIENTS / "sdk.py")], {}


@dataclass
class Done:
    """One job: what the client got, and the calls that it made of the upstream."""

    got: Any
    calls: list[Call]


def run(route: Route, sdk: str) -> dict[str, Done]:
    """Let one SDK do all the jobs. A prompt opens with its job's name, by which its calls are told apart."""
    command, env = client(sdk)
    jobs = [(form, f"{sdk} {route.url} {name}: {prompt}") for name, (form, prompt) in JOBS.items()]
    done = subprocess.run(
        [*command, route.url, route.key, json.dumps(jobs)],
        env={"PATH": "/usr/bin:/bin", "NO_PROXY": "127.0.0.1", **env},
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    calls = [(call, route.upstream.body(call)) for call in route.upstream.settled(len(JOBS))]
    answers = zip(JOBS, map(json.loads, done.stdout.splitlines()), strict=True)
    return {name: Done(got, [call for call, body in calls if f" {name}: ".encode() in body]) for name, got in answers}


@pytest.fixture(scope="module")
def runs() -> dict[tuple[str, str], dict[str, Done]]:
    """Jobs done so far, by address and SDK."""
    return {}


@pytest.fixture(params=["python-1", "python-2", "typescript"])
def sdk(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def jobs(route: Route, sdk: str, runs: dict[tuple[str, str], dict[str, Done]]) -> dict[str, Done]:
    if (route.url, sdk) not in runs:
        runs[route.url, sdk] = run(route, sdk)
    return runs[route.url, sdk]


@pytest.mark.parametrize("form", ["create", "stream"])
def test_text(route: Route, sdk: str, jobs: dict[str, Done], form: str) -> None:
    got, (call,) = jobs[form].got, jobs[form].calls
    assert got["text"] == filler(DEFAULT_TOKENS) and got["stop_reason"] == "end_turn"
    usage = call.started.usage
    assert (got["input_tokens"], got["output_tokens"]) == (usage.input_tokens, usage.output_tokens)
    assert call.started.stream == (form == "stream")
    if form == "stream":
        assert got["pieces"] > 1
    if "python" in sdk:
        assert got["version"].startswith(f"{sdk[-1]}.")
    assert_credential(route, call, bearer=sdk in BEARER)
    assert call.header("anthropic-version") == ("2026-10-21" if sdk in BEARER else "2023-06-01")


def test_tool_use_and_thinking_in_a_stream(jobs: dict[str, Done]) -> None:
    assert (jobs["tools"].got["tools"], jobs["tools"].got["stop_reason"]) == (["Bash"] * 3, "tool_use")
    assert jobs["thinking"].got["text"] == filler(DEFAULT_TOKENS)
    assert len(jobs["tools"].calls) == len(jobs["thinking"].calls) == 1


@pytest.mark.parametrize("form", ["create", "stream"])
def test_a_final_refusal_is_one_request_with_its_type(jobs: dict[str, Done], form: str) -> None:
    got, (call,) = jobs[f"refused-{form}"].got, jobs[f"refused-{form}"].calls
    assert (got["status"], got["class"], got["type"]) == (429, "RateLimitError", "billing_error")
    assert got["message"] == REFUSED and got["id"] == f"req_sim{call.started.id}"


def test_an_overloaded_upstream_is_asked_again(jobs: dict[str, Done]) -> None:
    assert jobs["overloaded"].got["text"] == filler(DEFAULT_TOKENS)
    assert [call.started.status for call in jobs["overloaded"].calls] == [529, 200]
