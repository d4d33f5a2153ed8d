"""The real Claude Code over every pair of dialect and cloud, while attempts fail: same files, no error shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from fastgate.sim.behaviour import Behaviour
from fastgate.sim.scenario import EDIT_MARK
from tests.support.claude import Claude
from tests.support.clouds import bedrock, vertex
from tests.support.plane import KEY, LIMITS, Plane, endpoint
from tests.support.sim import SimProcess, running

pytestmark = pytest.mark.e2e

PAIRS = [
    ("anthropic", "bedrock"), ("anthropic", "vertex"), ("bedrock", "anthropic"), ("vertex", "anthropic"),
    ("bedrock", "vertex"), ("vertex", "bedrock"),
]  # fmt: skip


@dataclass
class Way:
    """A client's dialect, a kind of endpoint, and what stands between."""

    front: str
    cloud: str
    simulator: SimProcess
    plane: Plane

    def environment(self) -> dict[str, str]:
        if self.front == "bedrock":
            return {
                "CLAUDE_CODE_USE_BEDROCK": "1",
                "ANTHROPIC_BEDROCK_BASE_URL": self.plane.url,
                "AWS_BEARER_TOKEN_BEDROCK": KEY,
                "AWS_REGION": "us-east-1",
            }
        if self.front == "vertex":
            return {
                "CLAUDE_CODE_USE_VERTEX": "1",
                "ANTHROPIC_VERTEX_BASE_URL": f"{self.plane.url}/v1",
                "CLAUDE_CODE_SKIP_VERTEX_AUTH": "1",
                "ANTHROPIC_VERTEX_PROJECT_ID": "p",
                "CLOUD_ML_REGION": "us-east5",
                "ANTHROPIC_CUSTOM_HEADERS": f"x-api-key: {KEY}",
            }
        return {"ANTHROPIC_API_KEY": KEY}


@pytest.fixture(scope="module", params=PAIRS, ids="-over-".join)
def way(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    front, cloud = request.param
    with running(tmp_path_factory.mktemp(cloud), "--dialect", cloud) as simulator:
        made = {"anthropic": endpoint, "bedrock": bedrock, "vertex": vertex}[cloud](simulator.url, api_key="token")
        limits = msgspec.structs.replace(LIMITS, attempts=5, first_byte_s=2.0)
        plane = Plane(tmp_path_factory.mktemp("plane"), (made,), limits=limits).start()
        yield Way(front, cloud, simulator, plane)
        plane.stop()


@pytest.mark.promise("P-06", bound="0 errors shown by Claude Code over six pairs of dialect and cloud")
def test_the_loop_changes_the_file_while_attempts_fail(way: Way, tmp_path: Path) -> None:
    claude = Claude(tmp_path, way.plane.url, {}, way.environment())
    notes = claude.project / "notes.txt"
    notes.write_text("first line\nsecond line\n")
    faults = [
        Behaviour(status=529), Behaviour(cut="rst", cut_bytes=0), Behaviour(error_at=1, error_type="overloaded_error"),
    ]  # fmt: skip
    for turn, fault in enumerate(faults):
        way.simulator.script(fault, turn=turn)
    run = claude.run("please edit notes.txt")
    assert notes.read_text() == f"first line{EDIT_MARK}\nsecond line\n", run
    assert run.code == 0 and f"first line{EDIT_MARK}" in run.out and "Error" not in run.out, run
    way.plane.wait_idle()
    loop = [record for record in way.plane.records() if record.stream]
    assert len(loop) == 4 and all(record.outcome == "ok" and record.cost_nano > 0 for record in loop)
    assert sum(len(record.attempts) for record in loop) > 4
    assert loop[-1].usage.cache_read_tokens > 0
    assert {record.provider for record in loop} == {way.cloud}
