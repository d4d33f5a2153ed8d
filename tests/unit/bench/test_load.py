"""The load suite without load: what is sent, what wrk's words mean, what the figures say of goals."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import psutil
import pytest

from bench.figures import median, paired_ratio, spread
from bench.load import payloads, report, wrk
from bench.load.nginx import fixed_upstream
from bench.load.processes import Server, Used, cpu_between
from bench.load.rows import ROWS
from bench.lock import BusyError, only_one
from bench.plot import plot
from bench.render import LOAD, page
from bench.section import Goal, Section, sections


@pytest.mark.parametrize("stream", [False, True])
def test_the_large_body_is_a_conversation_of_730_kb_with_18_tools(stream: bool) -> None:
    body = payloads.large(stream)
    assert 0.97 * payloads.LARGE_BYTES <= len(body) <= payloads.LARGE_BYTES
    assert body == payloads.large(stream)
    read = json.loads(body)
    assert (len(read["tools"]), read["stream"], read["model"]) == (18, stream, payloads.MODEL)
    asked = [block["id"] for m in read["messages"] for block in m["content"] if block["type"] == "tool_use"]
    answered = [
        block["tool_use_id"] for m in read["messages"] for block in m["content"] if block["type"] == "tool_result"
    ]
    assert asked == answered
    assert len(set(asked)) == len(asked) > 50


def test_the_small_body_is_the_least_that_a_client_sends() -> None:
    assert json.loads(payloads.small(True))["stream"] is True
    assert len(payloads.small(False)) < 200


def test_figures_of_repeated_runs() -> None:
    assert median([3, 1, 2]) == 2
    assert spread([90, 100, 120]) == pytest.approx(0.3)
    assert spread([0, 0]) == 0
    # The third round ran beside other work: both halve, the ratio stays.
    assert paired_ratio([50, 60, 25], [100, 100, 50]) == pytest.approx(0.5)


def sample(rate: float, errors: int = 0, p99_ms: float = 5.0) -> dict[str, Any]:
    return {
        "requests": int(rate * 10), "seconds": 10.0, "bytes": 1, "p50_ms": 1.0, "p90_ms": 2.0, "p99_ms": p99_ms,
        "max_ms": 9.0, "errors": errors, "cpu_us": 20.0, "control_us": 0.0, "requests_per_s": rate,
    }  # fmt: skip


def results(mock: list[float], nginx: list[float], ours: list[float], row: str = "small-64") -> list[dict[str, Any]]:
    rates = {"mock": mock, "nginx": nginx, "fastgate": ours}
    return [
        {"row": row, "target": target, "samples": [sample(rate) for rate in found]} for target, found in rates.items()
    ]


@pytest.mark.parametrize(
    ("mock", "ours", "met"),
    [
        (150, 55, [True, True, True]),
        (149, 54, [False, True, False]),
        (150, 49, [True, False, False]),
    ],
)
def test_goals_are_met_at_their_figure_and_missed_below(mock: float, ours: float, met: list[bool]) -> None:
    found = report.lines(results([mock] * 3, [100] * 3, [ours] * 3))
    verdicts = list(report.verdicts(found))
    assert [verdict.met for verdict in verdicts] == met
    assert sum(bool(verdict.load) for verdict in verdicts if not verdict.met) <= 1, "where its time goes is told once"


def test_every_row_has_a_title_and_those_of_the_promise_have_goals() -> None:
    goals = {"small-64": (0.5, 0.55), "small-200": (0.5, 0.55), "large-4": (0.65, 0.7)}
    assert {row.name: row.goals for row in ROWS if row.goals} == goals
    assert {row.name: row.p99_ms for row in ROWS if row.p99_ms} == {"small-200": 15.0}
    for row in ROWS:
        assert report.title(row.name) == row.title


def test_a_run_without_nginx_has_no_ratio() -> None:
    (line,) = report.lines([{"row": "small-64", "target": "target", "samples": [sample(10)]}])
    assert line.ratio == 0
    assert list(report.verdicts([line])) == []
    assert "10" in report.as_text([line])


def test_rows_over_tls_are_held_against_the_same_without() -> None:
    open_rows = [row.open for row in ROWS if row.tls]
    assert open_rows == ["small-64", "large-4", "stream-64"]
    for row in ROWS:
        twin = next((other for other in ROWS if other.name == row.open), None)
        assert twin is None or (twin.body, twin.connections, twin.mock, twin.tls) == (
            row.body, row.connections, row.mock, False,
        )  # fmt: skip
    runs = results([300] * 3, [100] * 3, [60] * 3) + results([300] * 3, [80, 80, 40], [48, 30, 30], "tls-64")
    found = report.lines(runs)
    assert report.over_tls(found, "small-64") == ""
    told = "Of its rate without TLS, in pairs of the same rounds, keeps nginx 0.80 and fastgate 0.50."
    assert report.over_tls(found, "tls-64") == told


def test_the_headline_states_rate_latency_and_errors() -> None:
    runs = [sample(20_000, 1, 12.0), sample(22_000, 2, 14.0), sample(21_000, 0, 13.0)]
    sentence = report.headline(report.lines([{"row": "small-200", "target": "cached", "samples": runs}]))
    assert "21,000 requests/s, p99 13.0 ms, 3 errors" in sentence
    assert report.headline([]) == ""


def test_the_page_shows_every_row_verdict_and_fault() -> None:
    machine = {
        "date": "2026-01-02 03:04 UTC", "commit": "abc1234", "cpu": "A CPU", "cores": 2, "memory_gib": 24,
        "system": "Linux 6.1 x86_64", "versions": {"python": "3.11.7", "nginx": "1.22.1"},
    }  # fmt: skip
    load = {
        "machine": machine,
        "plan": {"rounds": 3, "seconds": 10.0, "workers": 2},
        "results": results([300, 310, 290], [100, 110, 90], [60, 66, 40]),
        "faults": ["fastgate answered 5 calls and recorded 4"],
    }
    timings = [{"module": "money", "name": "cost of a call", "best_us": 0.0625, "median_us": 0.07, "spread": 0.1}]
    text = page(load, {"machine": machine, "timings": timings})
    assert "|fastgate|60|±22 %|1.00|5.00|20.0||0.60|" in text
    assert "|nginx|100|±10 %|1.00|5.00|20.0||1.00|" in text
    assert "- met: small body, 64 connections: fastgate does 0.60 of nginx (>= 0.5)" in text
    assert "**fault**: fastgate answered 5 calls and recorded 4" in text
    assert "|money|cost of a call|0.062|0.070|" in text
    assert "commit abc1234" in text
    assert all(len(line) <= 120 or line.startswith("|") for line in text.splitlines())
    assert "## Single functions" not in page(load, None)


def test_two_benchmarks_do_not_run_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with only_one(), pytest.raises(BusyError, match="already running"), only_one():
        pass
    with only_one():
        pass


def test_cpu_between_two_looks_counts_a_new_process_whole() -> None:
    before = {1: Used(10.0, False), 2: Used(5.0, True)}
    after = {1: Used(12.5, False), 3: Used(1.0, True)}
    assert cpu_between(before, after) == pytest.approx((3.5, 1.0))


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no such port')"]
    server = Server("broken", "http://127.0.0.1:9", command, tmp_path / "log")
    with pytest.raises(RuntimeError, match="broken ended with 1:\nno such port"), server:
        pass
    assert server.process is None


def bench(folder: Path, *options: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """One row for one second, as a user runs it; what it printed and what it wrote."""
    out = folder / "load.json"
    command = [sys.executable, "-m", "bench.load", "--seconds", "1", "--rounds", "1", "--row", "large-4", *options]
    env = os.environ | {"TMPDIR": str(folder), "PYTHONPATH": "src"}
    run = subprocess.run(
        [*command, "--out", str(out)], check=False, capture_output=True, text=True, env=env, timeout=60
    )
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(out.read_text())
    assert found["faults"] == []
    assert all(s["requests"] > 10 and s["errors"] == 0 for result in found["results"] for s in result["samples"])
    return run, found


NEEDS_PEERS = pytest.mark.skipif(not (shutil.which("wrk") and shutil.which("nginx")), reason="no wrk or no nginx here")


@NEEDS_PEERS
def test_a_short_run_against_nginx_ends_all_that_it_started(tmp_path: Path) -> None:
    run, document = bench(tmp_path, "--without-gateway")
    assert [(r["row"], r["target"]) for r in document["results"]] == [("large-4", "mock"), ("large-4", "nginx")]
    assert all(result["samples"][0]["cpu_us"] > 0 for result in document["results"])
    assert "730 KB conversation" in run.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"load.json", f"fastgate-bench-{os.getuid()}.lock"}
    commands = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    assert [command for command in commands if str(tmp_path) in command] == []


@NEEDS_PEERS
def test_a_deployment_of_ones_own_is_loaded_with_its_key(tmp_path: Path) -> None:
    with fixed_upstream(tmp_path / "own") as server:
        run, document = bench(tmp_path, "--target", server.url + "/v1/", "--key", "sk-own", "--model", "claude-opus-5")
    assert [(r["row"], r["target"]) for r in document["results"]] == [("large-4", "target")]
    assert document["plan"] == {"target": server.url}
    assert "sk-own" not in json.dumps(document) + run.stdout + run.stderr


@pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed")
def test_wrk_counts_refused_calls_as_errors(tmp_path: Path) -> None:
    server = Server("nobody", "http://127.0.0.1:9", [], tmp_path / "log")
    shot = wrk.Shot.write(tmp_path, "shot", b"{}", {"x-api-key": "k"})
    with pytest.raises(RuntimeError, match="wrk failed"):
        wrk.run(server.url, shot, 1, 1)


def test_the_picture_has_a_bar_for_every_figure_of_the_page() -> None:
    found = report.lines(json.loads(LOAD.read_text())["results"])
    picture = ET.fromstring(plot(found))
    bars = [bar for bar in picture.iter("{http://www.w3.org/2000/svg}rect") if bar.get("x") is not None]
    assert len(bars) == len(found)
    longest = max(found, key=lambda line: line.requests_per_s)
    assert f"{longest.requests_per_s:,.0f}/s" in plot(found)


def test_what_other_benchmarks_left_is_on_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.section.HERE", tmp_path)
    goals = (Goal("waits 3 ms (<= 2)", False), Goal("no errors", True))
    Section("Waiting", "How long.", ("for", "ms"), (("nothing", "3"),), goals).write("waiting")
    (tmp_path / "load.json").write_text('{"results": []}')
    (found,) = sections(tmp_path)
    text = page(None, None, [found])
    for line in ("## Waiting", "|for|ms|", "|nothing|3|", "- **missed**: waits 3 ms (<= 2)", "- met: no errors"):
        assert line in text.splitlines()
