"""bench.profile: whose work a sample is, and what a page says of a goal that was missed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from bench.load.ports import free_port
from bench.load.processes import Server
from bench.load.rows import ROWS
from bench.owners import OWNERS, owner_of, shares_in, why
from bench.profile import LOADS, counted, profiled, section
from bench.render import page
from bench.section import Goal, Section

FACTS = {"date": "today", "commit": "abc", "cpu": "A CPU", "cores": 2, "memory_gib": 4, "system": "Linux"}
MACHINE = FACTS | {"versions": {"python": "3.11"}}
FOUND = {
    "small-64/nginx": {"kernel": 8.0, "server": 3.0},
    "small-64/fastgate": {"kernel": 16.0, "interpreter": 24.0, "ours": 8.0},
    "small-200/fastgate": {"kernel": 15.0, "ours": 5.0},
    "small-200/budgeted": {"kernel": 15.5, "ours": 9.0},
}


@pytest.mark.parametrize(
    ("dso", "owner"),
    [
        ("[kernel.kallsyms]", "kernel"),
        ("[vdso]", "kernel"),
        ("/opt/env/lib/python3.11/site-packages/granian/_granian.cpython-311-x86_64-linux-gnu.so", "server"),
        ("/opt/env/lib/python3.11/site-packages/uvloop/loop.cpython-311-x86_64-linux-gnu.so", "event loop"),
        ("/opt/env/lib/python3.11/site-packages/httptools/parser/parser.cpython-311-x86_64-linux-gnu.so", "event loop"),
        ("/src/fastgate/_core/pump.cpython-311-x86_64-linux-gnu.so", "ours"),
        ("/usr/lib/libpython3.11.so.1.0", "interpreter"),
        ("/usr/lib/x86_64-linux-gnu/libc.so.6", "C library"),
        ("/usr/sbin/nginx", "server"),
        ("[unknown]", "rest"),
        ("/usr/lib/libsqlite3.so.0.8.6", "rest"),
    ],
)
def test_code_has_an_owner(dso: str, owner: str) -> None:
    assert owner_of(dso) == owner
    assert owner in OWNERS


def test_the_extensions_that_are_loaded_here_have_owners() -> None:
    import httptools
    import uvloop
    from granian import _granian

    from fastgate._core import pump
    from fastgate.gateway.rooms import relay

    modules = (_granian, uvloop.loop, httptools.parser.parser, pump, relay)
    assert [owner_of(str(module.__file__)) for module in modules] == [
        "server", "event loop", "event loop", "ours", "ours",
    ]  # fmt: skip


def test_a_miss_says_where_the_time_goes() -> None:
    assert why("small-64/fastgate", FOUND) == (
        "48.0 µs of CPU: interpreter 24.0, kernel 16.0, ours 8.0; nginx 11.0, of which the kernel 8.0"
    )
    assert why("small-200/budgeted", FOUND).startswith(
        "24.5 µs of CPU: kernel 15.5, ours 9.0; to the same without it ours +4.0, kernel +0.5"
    )
    assert why("large-4/fastgate", FOUND) == ""


def test_the_page_gives_the_reasons_of_what_was_missed_and_no_other() -> None:
    goals = (
        Goal("slow", False, "small-64/fastgate", "It waits"),
        Goal("good", True, "small-64/fastgate", "It is fast"),
    )
    text = page(None, None, [Section("Waiting", "How.", ("a", "b"), (), goals, MACHINE)], FOUND)
    assert "- **missed**: slow\n  It waits. 48.0 µs of CPU: interpreter 24.0" in text
    assert "It is fast" not in text


def test_every_load_is_a_row_and_the_table_has_them_all(tmp_path: Path) -> None:
    assert {load.row for load in LOADS} <= {row.name for row in ROWS} | {"streams", "hits"}
    table = section(FOUND)
    assert [row[0] for row in table.rows] == [*OWNERS, "all"]
    assert table.rows[0][1:] == ["8.0 (73 %)", "16.0 (33 %)", "15.0 (75 %)", "15.5 (63 %)"]
    assert table.rows[-1][1:] == ["11.0", "48.0", "20.0", "24.5"]
    (tmp_path / "profile.json").write_text(json.dumps({"section": {}, "shares": FOUND}))
    assert shares_in(tmp_path) == FOUND
    assert shares_in(tmp_path / "none") == {}


def test_samples_are_counted_by_owner_and_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """perf itself stands aside here: its output's form is what is read."""
    said = "  11  ffffffff81 ([kernel.kallsyms])\n  11  7f00 (/x/fastgate/_core/sse.so)\n  12  7f01 (/lib/libc.so.6)\n"
    script = tmp_path / "perf"
    script.write_text(f"#!{sys.executable}\nprint({said!r})\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert counted(tmp_path / "perf.data", {12}) == Counter({"kernel": 1, "ours": 1, "control plane": 1})


def samples_here(folder: Path) -> bool:
    """Whether perf is there and may take samples: some containers forbid it."""
    if not shutil.which("perf"):
        return False
    command = ["perf", "record", "-q", "-o", str(folder / "try.data"), "true"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def test_perf_finds_the_owner_of_a_process_that_only_computes(tmp_path: Path) -> None:
    if not samples_here(tmp_path):
        pytest.skip("perf cannot take samples here")
    port = free_port()
    serve = (
        "import math, http.server as h\n"
        "class H(h.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        [math.factorial(3000) for _ in range(100)]\n"
        "        self.send_response(200); self.send_header('content-length', '0'); self.end_headers()\n"
        f"h.HTTPServer(('127.0.0.1', {port}), H).serve_forever()\n"
    )
    server = Server("busy", f"http://127.0.0.1:{port}", [sys.executable, "-c", serve], tmp_path / "log")

    def drive() -> int:
        return sum(server.answers() for _ in range(5))

    with server:
        shares = profiled(server, tmp_path / "perf.data", drive)
    assert max(shares, key=lambda owner: shares[owner]) == "interpreter"
    assert all(us > 0 for us in shares.values())
