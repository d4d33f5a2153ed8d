"""scripts/fuzz.sh runs for an hour where nothing else does: what it asks of the suite is asked here too."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.tidy.tree import ROOT


def test_the_corpus_is_found_as_the_script_asks_for_it() -> None:
    (options,) = re.findall(r"-m pytest (.+)", (ROOT / "scripts" / "fuzz.sh").read_text())
    command = [sys.executable, "-m", "pytest", "--collect-only", *options.split()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tests/fuzz" in done.stdout
