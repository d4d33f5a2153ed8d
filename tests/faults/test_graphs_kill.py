"""The process that saves the graphs of remembered questions is killed while it does: whoever starts then holds what the
log says, from the old graphs, the new ones, or none."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.faults,
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("hnswlib") is None, reason="the semantic extra is not installed"),
]

KILLS = 12

SAVER = """
import sys
from pathlib import Path
from fastgate.caching.semantic import replay
from fastgate.caching.semantic.graphs import Graphs
from fastgate.caching.semantic.log_disk import DiskLog
from fastgate.caching.semantic.note import pack
from tests.unit.caching.semantic.test_notes import DIM, note, notes
replay.SAVED_ROWS = 50
folder, n = Path(sys.argv[1]), int(sys.argv[2])
log, graphs = DiskLog(folder / "log", 4000, DIM), Graphs(folder / "graphs")
print("ready", flush=True)
while True:
    log.append([pack(note(at % 3000, started_ns=at)) for at in range(n, n + 50)])
    n += 50
    replay.save_where_due(log, notes(4000), graphs, lambda: False)
"""


def test_kill_9_while_graphs_are_saved_leaves_the_old_or_the_new(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from fastgate.caching.semantic.folder import MANIFEST
    from fastgate.caching.semantic.graphs import Graphs
    from fastgate.caching.semantic.log_disk import DiskLog
    from tests.unit.caching.semantic.test_graphs import held, read
    from tests.unit.caching.semantic.test_notes import DIM

    drawn, used, rows = random.Random(11), 0, 0
    for _ in range(KILLS):
        command = [sys.executable, "-c", SAVER, str(tmp_path), str(rows + 1)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as saver:
            assert saver.stdout is not None
            assert saver.stdout.readline() == b"ready\n"
            time.sleep(drawn.uniform(0.05, 0.8))
            saver.send_signal(signal.SIGKILL)
        log, graphs = DiskLog(tmp_path / "log", 4000, DIM), Graphs(tmp_path / "graphs")
        rows = log.last()
        quick = read(log, graphs, 4000)
        assert held(quick) == held(read(log, None, 4000))
        used += (graphs.directory / MANIFEST).exists()
        log.close()
    assert "built again" not in caplog.text, "nothing that was half written was ever believed, or seen"
    assert used > KILLS // 2
    left = [path.name for path in graphs.directory.iterdir() if path.name.startswith(".")]
    assert len(left) <= 2, f"what a killed process left is cleared away by the next that saves: {left}"
