"""The real Claude Code over two endpoints: its session stays on one, moves when that dies in the middle, and stays."""

from __future__ import annotations

import uuid
from pathlib import Path

import msgspec
import pytest

from fastgate.routing.replay import replay
from fastgate.sim.scenario import EDIT_MARK
from tests.support.claude import Claude
from tests.support.plane import KEY, LIMITS, Plane, endpoint
from tests.support.sim import SimProcess

pytestmark = pytest.mark.e2e

SESSION_LOOPS = 4


def edit(claude: Claude, session: str, number: int) -> None:
    """One Read, Edit, Bash loop of the session, which must change the file and show no error."""
    notes = claude.project / f"notes{number}.txt"
    notes.write_text("first line\nsecond line\n")
    resumed = ("--resume", session) if number else ("--session-id", session)
    run = claude.run(f"please edit {notes.name}", *resumed)
    assert run.code == 0 and "API Error" not in run.out, run
    assert notes.read_text() == f"first line{EDIT_MARK}\nsecond line\n"


@pytest.mark.promise(
    "P-06", bound="the real Claude Code: an endpoint dies in mid-session, files and prompt cache are kept"
)
def test_a_session_stays_moves_once_and_stays(tmp_path: Path) -> None:
    upstreams = {name: SimProcess(tmp_path / name) for name in "ab"}
    limits = msgspec.structs.replace(LIMITS, attempts=3, retry_s=10.0)
    endpoints = tuple(endpoint(upstream.url, name) for name, upstream in upstreams.items())
    plane = Plane(tmp_path / "plane", endpoints, workers=2, limits=limits).start()
    claude = Claude(tmp_path, plane.url, {"ANTHROPIC_API_KEY": KEY})
    session = str(uuid.uuid4())
    try:
        for number in range(2):
            edit(claude, session, number)
        before = [len(upstream.settled(0)) for upstream in upstreams.values()]
        upstreams["a"].process.kill()
        for number in range(2, SESSION_LOOPS):
            edit(claude, session, number)
        plane.wait_idle()
        after = [len(upstream.calls()) for upstream in upstreams.values()]
        records = [record for record in plane.records() if record.session == session]
    finally:
        plane.stop()
        for upstream in upstreams.values():
            upstream.stop()
    assert before[0] >= 8 and before[1] == 0  # two loops of four calls, all at the first endpoint
    assert after[0] == before[0] and after[1] >= 8
    hops = [record.routed for record in records if record.routed]
    assert hops == ["hop;a;failed"]
    order = [record.endpoint for record in records]
    assert order == ["a"] * before[0] + ["b"] * after[1]
    moved = order.index("b")
    assert all(record.usage.cache_read_tokens > 0 for record in records[moved + 1 :])
    assert all(replay(r.decision) == (r.decision.order, r.decision.reason) for r in records if r.decision is not None)
    assert all(record.decision is not None for record in records)
