"""Each set-up mistake, made for real, is found and told with its fix; a sound installation draws no complaint."""

from __future__ import annotations

import http.server
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path

import pytest

from bench.load.ports import free_port
from fastgate import runinfo
from fastgate.control import diagnose as diagnosis
from fastgate.control import surroundings
from fastgate.control.diagnose import diagnose
from fastgate.control.findings import Finding
from fastgate.runinfo import RunInfo

CONFIG = """\
version: 1
listen: 127.0.0.1:{listen}
control: {{listen: 127.0.0.1:{control}}}
workers: 1
state: data
endpoints: [{{name: a, kind: {kind}, base_url: "{url}", api_key: {key}}}]
"""


@contextmanager
def provider(skew_s: float = 0.0) -> Iterator[str]:
    """A server that answers HEAD with the time it believes it is."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response_only(200)
            self.send_header("date", formatdate(time.time() + skew_s, usegmt=True))
            self.end_headers()

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class Place:
    """A configuration in a folder; `changes` replace its values."""

    def __init__(self, folder: Path, url: str, **changes: str | int) -> None:
        values: dict[str, str | int] = {"listen": free_port(), "control": free_port(), "kind": "anthropic", "key": "k1"}
        self.values = {**values, "url": url, **changes}
        self.path = folder / "fastgate.yaml"
        self.path.write_text(CONFIG.format(**self.values))
        self.state = folder / "data"

    def findings(self, probe: bool = False, **environ: str) -> list[Finding]:
        return diagnose(self.path, environ, probe=probe)

    def complaints(self, probe: bool = False, **environ: str) -> list[Finding]:
        found = [finding for finding in self.findings(probe, **environ) if finding.severity != "ok"]
        assert all(finding.fix for finding in found), "every complaint comes with its fix"
        return [finding for finding in found if finding.id not in ("open-files", "backlog", "disk")]


@pytest.fixture
def up() -> Iterator[str]:
    with provider() as url:
        yield url


@pytest.fixture
def make(tmp_path: Path, up: str) -> Callable[..., Place]:
    return lambda **changes: Place(tmp_path, **{"url": up, **changes})


def the_one(found: list[Finding], kind: str, severity: str = "error") -> Finding:
    assert [(finding.id, finding.severity) for finding in found] == [(kind, severity)], found
    return found[0]


def test_a_sound_installation_draws_no_complaint(make: Callable[..., Place]) -> None:
    place = make()
    assert place.complaints() == []
    told = {finding.id: finding.message for finding in place.findings()}
    assert "1 workers would run" in told["workers"]
    assert "uvloop" in told["workers"]
    assert "body_bytes 33554432" in told["limits"]
    assert "drain_s 600" in told["limits"]
    assert not place.state.exists(), "a diagnosis makes nothing"


def test_a_taken_port_is_named_with_who_has_it(make: Callable[..., Place]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        found = the_one(make(listen=port).complaints(), "port")
        assert f"listen: 127.0.0.1:{port}" in found.message
        assert f"(pid {os.getpid()})" in found.message
        found = the_one(make(control=port).complaints(), "port")
        assert "control.listen" in found.message


def test_a_provider_key_that_is_missing(make: Callable[..., Place]) -> None:
    found = the_one(make(key="${THE_KEY}").complaints(), "provider-key")
    assert "THE_KEY is not set" in found.message
    assert "export" in found.fix
    assert make(key="${THE_KEY}").complaints(THE_KEY="sk-ant-1") == []


def test_a_fastgate_key_where_the_providers_belongs(make: Callable[..., Place]) -> None:
    assert "fastgate key" in the_one(make(key="sk-fg-x").complaints(), "provider-key").message
    assert make(key="sk-fg-x", kind="compatible").complaints() == [], "another fastgate may be an endpoint"
    place = make(key="sk-fg-x")
    place.path.write_text(place.path.read_text().replace(f'base_url: "{place.values["url"]}", ', ""))
    assert "sk-fg-x" not in the_one(place.complaints(), "provider-key").message


def test_a_state_that_cannot_be_written(make: Callable[..., Place]) -> None:
    place = make()
    place.state.write_text("a file")
    assert "is a file" in the_one(place.complaints(), "state").message


def test_a_state_that_others_can_read(make: Callable[..., Place]) -> None:
    place = make()
    place.state.mkdir(mode=0o755)
    place.state.chmod(0o755)
    assert "chmod 700" in the_one(place.complaints(), "state", "warning").fix


def test_a_state_on_a_network_disk(make: Callable[..., Place], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "filesystem_of", lambda _: "nfs4")
    assert "nfs4" in the_one(make().complaints(), "state").message


def test_the_file_system_of_a_path_is_known() -> None:
    assert surroundings.filesystem_of(Path("/proc/self")) == "proc"
    assert surroundings.filesystem_of(Path("/dev/shm")) == "tmpfs"


def test_proxy_variables(make: Callable[..., Place]) -> None:
    found = make().complaints(HTTPS_PROXY="http://proxy:3128")
    assert {finding.id for finding in found} == {"proxy"}
    assert "NO_PROXY=127.0.0.1" in found[0].fix
    (only,) = make().complaints(https_proxy="http://proxy:3128", no_proxy="localhost,127.0.0.1")
    assert "uses no proxy" in only.message


def test_a_wrong_base_url_in_the_shell(make: Callable[..., Place]) -> None:
    place = make()
    right = f"http://127.0.0.1:{place.values['listen']}"
    for wrong in ("https://api.anthropic.com", right.replace("http:", "https:"), "http://127.0.0.1:1"):
        assert right in the_one(place.complaints(ANTHROPIC_BASE_URL=wrong), "base-url", "warning").fix
    assert place.complaints(ANTHROPIC_BASE_URL=right) == []
    found = place.complaints(ANTHROPIC_BASE_URL=right, ANTHROPIC_API_KEY="sk-ant-1")
    assert "sk-ant-1" not in the_one(found, "client-key", "warning").message


def test_a_gateway_that_would_call_itself(make: Callable[..., Place]) -> None:
    port = free_port()
    found = make(listen=port, url=f"http://localhost:{port}").complaints()
    assert "base-url" in [finding.id for finding in found]


def test_a_clock_that_was_set_back(make: Callable[..., Place]) -> None:
    place = make()
    segment = place.state / "journal" / "0123456789ab" / "00000001.fgj"
    segment.parent.mkdir(parents=True)
    place.state.chmod(0o700)
    segment.touch()
    assert place.complaints() == []
    os.utime(segment, (time.time() + 3600, time.time() + 3600))
    assert "recorded" in the_one(place.complaints(), "clock").message


@pytest.mark.parametrize(("skew_s", "said"), [(-600.0, "ahead of"), (600.0, "behind")])
def test_a_clock_that_the_provider_contradicts(make: Callable[..., Place], skew_s: float, said: str) -> None:
    with provider(skew_s) as url:
        assert said in the_one(make(url=url).complaints(), "clock").message


def test_few_open_files(make: Callable[..., Place]) -> None:
    code = (
        "import resource, sys; from pathlib import Path; from fastgate.control.diagnose import diagnose\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))\n"
        "print([(f.severity, f.fix) for f in diagnose(Path(sys.argv[1]), {}) if f.id == 'open-files'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(make().path)],
        env={**os.environ, "PYTHONPATH": "src"},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert "'warning', 'raise it: LimitNOFILE=65536" in done.stdout


def test_modules_that_were_not_compiled(make: Callable[..., Place], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "compiled_modules", lambda: ["money", "absent"])
    found = the_one(make().complaints(), "build")
    assert "absent" in found.message
    assert "apt-get install -y build-essential python3-dev" in found.fix


def test_every_compiled_module_that_there_is_is_looked_for() -> None:
    sources = {path.stem for path in Path("src/fastgate/_core").glob("*.pyx")}
    assert sources.issuperset(diagnosis.compiled_modules())
    assert {"money", "pump", "flight"}.issubset(diagnosis.compiled_modules())


def test_a_python_that_is_too_old(make: Callable[..., Place], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "OLDEST", (4, 0))
    assert the_one(make().complaints(), "python")


def run_info(place: Place, pid: int) -> None:
    place.state.mkdir(mode=0o700)
    listen, control = (f"127.0.0.1:{place.values[name]}" for name in ("listen", "control"))
    info = RunInfo(pid, listen, control, "token", str(place.path), "2026-01-01T00:00:00.000Z", 1, str(place.state))
    runinfo.write(place.state / "run.json", info)


def test_a_run_json_that_was_left_behind(make: Callable[..., Place]) -> None:
    place = make()
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    run_info(place, gone.pid)
    assert f"process {gone.pid}" in the_one(place.complaints(), "run-json", "warning").message


def test_an_instance_that_does_not_answer(make: Callable[..., Place]) -> None:
    place = make()
    run_info(place, os.getpid())
    found = place.complaints()
    assert [finding.id for finding in found] == ["instance", "workers"]
    assert "control plane does not answer" in found[0].message


def test_an_endpoint_that_is_away_or_does_not_speak_tls(make: Callable[..., Place], up: str) -> None:
    away = make(url=f"http://127.0.0.1:{free_port()}").complaints()
    assert "refused" in the_one(away, "endpoint").message
    plain = make(url=up.replace("http:", "https:")).complaints()
    assert "TLS" in the_one(plain, "endpoint").message


def test_nothing_beyond_this_machine_is_asked_without_probe(
    make: Callable[..., Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def remember(endpoint: object, host: str, port: int) -> str:
        asked.append(f"{host}:{port}")
        return ""

    monkeypatch.setattr(surroundings, "_date_of", remember)
    place = make(url="https://provider.example", key="${KEY}")
    assert place.complaints(KEY="k1") == []
    assert asked == []
    place.findings(probe=True, KEY="k1")
    assert asked == ["provider.example:443"]


def test_mistakes_in_the_files_are_told(make: Callable[..., Place], tmp_path: Path) -> None:
    place = make()
    text = place.path.read_text()
    place.path.write_text(text + "limts: {}\n")
    assert "limits" in the_one(place.complaints(), "config").message
    place.path.write_text(text + "directory: directory.yaml\n")
    (tmp_path / "directory.yaml").write_text("users: [{id: u, team: none}]\n")
    assert "users[0].team" in the_one(place.complaints(), "directory").message


def test_no_configuration_at_all() -> None:
    found = {finding.id: finding for finding in diagnose(None, {})}
    assert "fastgate init" in found["config"].fix
