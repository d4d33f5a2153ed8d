"""The simulator as a process: options, TLS, several workers, the log it leaves, how it stops."""

from __future__ import annotations

import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fastgate.sim.behaviour import Behaviour
from fastgate.sim.log import Started, read_log
from tests.support.sim import ROOT, SimProcess, running
from tests.support.tls import certificate

BODY = json.dumps({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}).encode()
HEADERS = {"x-api-key": "k", "anthropic-version": "2023-06-01"}


def ask(port: int, body: bytes = BODY, tls: ssl.SSLContext | None = None) -> tuple[int, bytes]:
    if tls is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    else:
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=tls)
    try:
        connection.request("POST", "/v1/messages", body, HEADERS)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_calls_bodies_script_and_exit(tmp_path: Path) -> None:
    with running(tmp_path) as sim:
        sim.script(Behaviour(status=529), n=1)
        assert [ask(sim.port)[0] for _ in range(2)] == [529, 200]
        first, second = sim.settled(2)
        assert (first.started.status, second.started.status) == (529, 200)
        assert second.ended is not None and second.ended.told == second.started.usage
        assert sim.body(second) == BODY and second.header("X-API-Key") == "k"
        sim.process.send_signal(signal.SIGTERM)
        assert sim.process.wait(10) == 0


def test_tls(tmp_path: Path) -> None:
    pair = certificate(tmp_path)
    trusting = ssl.create_default_context(cafile=str(pair.cert))
    with running(tmp_path, "--tls-cert", str(pair.cert), "--tls-key", str(pair.key)) as sim:
        assert sim.url.startswith("https://")
        assert ask(sim.port, tls=trusting)[0] == 200
        with pytest.raises(ssl.SSLCertVerificationError):
            ask(sim.port, tls=ssl.create_default_context())


def test_workers_share_a_port_and_a_log(tmp_path: Path) -> None:
    with running(tmp_path, "--workers", "2", scenario="text") as sim:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: ask(sim.port)[0], range(60)))
        assert answers == [200] * 60
        calls = sim.settled(60)
        assert len({call.started.id for call in calls}) == 60
        assert len({call.started.pid for call in calls}) == 2, "the kernel spreads 60 connections over both"


def test_start_line_survives_a_kill(tmp_path: Path) -> None:
    sim = SimProcess(tmp_path)
    try:
        body = json.loads(BODY) | {"stream": True, "messages": [{"role": "user", "content": "[[sim:stall]]"}]}
        connection = http.client.HTTPConnection("127.0.0.1", sim.port, timeout=10)
        connection.request("POST", "/v1/messages", json.dumps(body).encode(), HEADERS)
        connection.getresponse()
        os.kill(sim.process.pid, signal.SIGKILL)
        connection.close()
    finally:
        sim.process.wait(10)
        assert sim.process.stdout is not None
        sim.process.stdout.close()
    (line,) = read_log(sim.log_path)
    assert isinstance(line, Started) and line.usage.output_tokens > 0


def test_usage_errors_say_what_is_wrong() -> None:
    for options, said in [
        (["--workers", "0"], "--workers must be"),
        (["--tls-key", "x"], "--tls-key needs"),
        (["--tls-cert", "/nonexistent/cert"], "No such file"),
        (["--scenario", "opera"], "invalid choice"),
    ]:
        command = [sys.executable, "-m", "fastgate.sim", *options]
        env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 2 and said in done.stderr, done
