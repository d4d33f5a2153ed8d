"""The Anthropic SDKs work through the gateway: Python of both majors and TypeScript.

The majors differ in how they authenticate and in the anthropic-version that they send."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fastgate.sim.behaviour import Behaviour
from fastgate.sim.scenario import DEFAULT_TOKENS, filler
from tests.e2e.conftest import Route, assert_credential
from tests.support.claude import PEERS

pytestmark = pytest.mark.e2e

CLIENTS = Path(__file__).parent / "clients"
SDKS = ["python-1", "python-2", "typescript"]
BEARER = {"python-2", "typescript"}
"""The majors of October 2026 send the key as `Authorization: Bearer` and a newer anthropic-version."""

RUN_S = 60.0


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


def ask(route: Route, sdk: str, form: str, prompt: str = "hello") -> Any:
    command, env = client(sdk)
    done = subprocess.run(
        [*command, form, route.url, route.key, prompt],
        env={"PATH": "/usr/bin:/bin", "NO_PROXY": "127.0.0.1", **env},
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("form", ["create", "stream"])
@pytest.mark.parametrize("sdk", SDKS)
def test_text(route: Route, sdk: str, form: str) -> None:
    got = ask(route, sdk, form)
    assert got["text"] == filler(DEFAULT_TOKENS) and got["stop_reason"] == "end_turn"
    (call,) = route.calls(1)
    usage = call.started.usage
    assert (got["input_tokens"], got["output_tokens"]) == (usage.input_tokens, usage.output_tokens)
    assert call.started.stream == (form == "stream")
    if form == "stream":
        assert got["pieces"] > 1
    if "python" in sdk:
        assert got["version"].startswith(f"{sdk[-1]}.")
    assert_credential(route, call, bearer=sdk in BEARER)
    assert call.header("anthropic-version") == ("2026-10-21" if sdk in BEARER else "2023-06-01")


@pytest.mark.parametrize("sdk", SDKS)
def test_tool_use_and_thinking_in_a_stream(route: Route, sdk: str) -> None:
    got = ask(route, sdk, "stream", "run three in parallel")
    assert (got["tools"], got["stop_reason"]) == (["Bash"] * 3, "tool_use")
    assert ask(route, sdk, "stream", "[[sim:thinking]]")["text"] == filler(DEFAULT_TOKENS)
    route.calls(2)


@pytest.mark.parametrize("form", ["create", "stream"])
@pytest.mark.parametrize("sdk", SDKS)
def test_a_final_refusal_is_one_request_with_its_type(route: Route, sdk: str, form: str) -> None:
    words = "Budget reached. Ask #llm-gw."
    answer = Behaviour(status=429, error_type="billing_error", message=words, should_retry="false", retry_after="3600")
    route.upstream.script(answer, n=0)
    got = ask(route, sdk, form)
    assert (got["status"], got["class"], got["type"], got["message"]) == (429, "RateLimitError", "billing_error", words)
    (call,) = route.calls(1)
    assert got["id"] == f"req_sim{call.started.id}"


@pytest.mark.parametrize("sdk", SDKS)
def test_an_overloaded_upstream_is_asked_again(route: Route, sdk: str) -> None:
    route.upstream.script(Behaviour(status=529), n=1)
    assert ask(route, sdk, "create")["text"] == filler(DEFAULT_TOKENS)
    assert [call.started.status for call in route.calls(2)] == [529, 200]
