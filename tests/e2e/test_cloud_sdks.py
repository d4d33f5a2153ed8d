"""The Python SDK's clients for Bedrock and Vertex AI work through the gateway's fronts, whatever the endpoint is."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.support.claude import PEERS
from tests.support.clouds import bedrock, vertex
from tests.support.plane import KEY, LIMITS, Plane, endpoint
from tests.support.sim import running

pytestmark = pytest.mark.e2e

CLIENT = Path(__file__).parent / "clients/clouds.py"
PYTHON = PEERS / "anthropic-2/bin/python"
RUN_S = 90.0

MADE = {"anthropic": endpoint, "bedrock": bedrock, "vertex": vertex}
WAYS = [("bedrock", "anthropic"), ("bedrock", "vertex"), ("vertex", "anthropic"), ("vertex", "bedrock")]

REFUSED = "Budget reached. Ask #llm-gw."
REFUSAL = (
    f"""[[sim:error status=429 error_type=billing_error message="{REFUSED}" should_retry=false retry_after=3600]]"""
)
JOBS = {
    "create": ("create", "hello [[sim:text tokens=40]]"),
    "stream": ("stream", "hello [[sim:text tokens=40]]"),
    "tools": ("stream", "run three in parallel"),
    "refused-create": ("create", REFUSAL),
    "refused-stream": ("stream", REFUSAL),
    "overloaded": ("stream", "[[sim:error status=529 n=1]]"),
}


@pytest.fixture(scope="module", params=WAYS, ids="-over-".join)
def way(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, Plane]]:
    dialect, kind = request.param
    probe = [PYTHON, "-c", "import anthropic, boto3, google.auth"]
    if not PYTHON.exists() or subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("the Python SDK's clients for clouds are not installed (make peers)")
    with running(tmp_path_factory.mktemp(kind), "--dialect", kind) as simulator:
        made = MADE[kind](simulator.url, api_key="token")
        limits = msgspec.structs.replace(LIMITS, attempts=3)
        plane = Plane(tmp_path_factory.mktemp("plane"), (made,), limits=limits).start()
        yield dialect, kind, plane
        plane.stop()


@pytest.fixture(scope="module")
def answers(way: tuple[str, str, Plane]) -> dict[str, Any]:
    """What the client got for each job."""
    dialect, _, plane = way
    done = ask(dialect, plane, KEY, list(JOBS.values()))
    return dict(zip(JOBS, done, strict=True))


def ask(dialect: str, plane: Plane, key: str, jobs: list[tuple[str, str]]) -> list[Any]:
    done = subprocess.run(
        [PYTHON, CLIENT, dialect, plane.url, key, json.dumps(jobs)],
        env={"PATH": "/usr/bin:/bin", "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("form", ["create", "stream", "overloaded"])
def test_text(answers: dict[str, Any], form: str) -> None:
    got = answers[form]
    assert got["text"] and got["stop_reason"] == "end_turn", got
    assert got["input_tokens"] > 0 and got["output_tokens"] > 0
    assert form == "create" or got["pieces"] > 1


def test_tools_in_a_stream(answers: dict[str, Any]) -> None:
    assert answers["tools"]["tools"] == ["Bash"] * 3 and answers["tools"]["stop_reason"] == "tool_use"


@pytest.mark.parametrize("form", ["refused-create", "refused-stream"])
def test_a_refusal_is_the_clouds_own_error(way: tuple[str, str, Plane], answers: dict[str, Any], form: str) -> None:
    got = answers[form]
    assert (got["status"], got["class"]) == (429, "RateLimitError")
    assert REFUSED in json.dumps(got["body"])


def test_a_key_that_is_not_known_is_refused_in_the_dialect(way: tuple[str, str, Plane]) -> None:
    dialect, _, plane = way
    (got,) = ask(dialect, plane, "sk-nobody-knows-this-key-0123456789", [("create", "hello")])
    assert (got["status"], got["class"]) == (401, "AuthenticationError")
    body = got["body"]
    if dialect == "bedrock":
        assert set(body) == {"message"}, body
    else:
        error = (body[0] if isinstance(body, list) else body)["error"]
        assert (error["code"], error["status"]) == (401, "UNAUTHENTICATED")


def test_every_answer_is_charged(way: tuple[str, str, Plane], answers: dict[str, Any]) -> None:
    _, kind, plane = way
    plane.wait_idle()
    good = [record for record in plane.records() if record.status == 200]
    assert len(good) >= 4 and all(record.cost_nano > 0 and record.provider == kind for record in good)
