"""Run by the peers' own interpreter: `peer_scan.py TOOL FOLDER` prints the lines that the tool finds, as JSON.

TOOL is detect-secrets or credsweeper; each with its defaults. Imports nothing of fastgate.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path


def detect_secrets(folder: Path) -> dict[str, list[int]]:
    from detect_secrets import SecretsCollection
    from detect_secrets.settings import default_settings

    found: dict[str, list[int]] = {}
    with default_settings():
        collection = SecretsCollection()
        for path in sorted(folder.iterdir()):
            collection.scan_file(str(path))
        for name, secret in collection:
            found.setdefault(Path(name).name, []).append(secret.line_number)
    return found


def credsweeper(folder: Path) -> dict[str, list[int]]:
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch, "report.json")
        subprocess.run(
            [sys.executable, "-m", "credsweeper", "--path", str(folder), "--save-json", str(report), "--log", "error"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        found: dict[str, list[int]] = {}
        for finding in json.loads(report.read_text()) if report.exists() else []:
            for line in finding["line_data_list"]:
                found.setdefault(Path(line["path"]).name, []).append(line["line_num"])
    return found


if __name__ == "__main__":
    tool = {"detect-secrets": detect_secrets, "credsweeper": credsweeper}[sys.argv[1]]
    json.dump(tool(Path(sys.argv[2])), sys.stdout)
