"""What a figure depends on: machine, versions and commit it was measured with. Names no host and no path."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("granian", "uvloop", "msgspec", "httptools", "Cython", "genai-prices")


def facts() -> dict[str, Any]:
    """Machine, versions, commit and date of a measurement, as JSON holds them."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(),
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.release().partition('-')[0]} {platform.machine()}",
        "versions": {"python": platform.python_version(), **packages(), **programs()},
    }


def commit() -> str:
    """The commit measured; "+" marks changes that are not committed."""
    here = Path(__file__).parent
    try:
        found = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=here, capture_output=True, text=True, check=True
        )
        changed = subprocess.run(
            ["git", "status", "--porcelain", "--", "../src"], check=False, cwd=here, capture_output=True, text=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip() + ("+" if changed.stdout.strip() else "")


def cpu_model() -> str:
    match = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return match[1].strip() if match else platform.processor() or platform.machine()


def packages() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def programs() -> dict[str, str]:
    """Versions as nginx and wrk state them; both print to either stream and wrk's exit code says nothing."""
    found = {}
    for name, flag, pattern in (("nginx", "-v", r"nginx/(\S+)"), ("wrk", "-v", r"wrk (?:debian/)?(\S+)")):
        try:
            out = subprocess.run([name, flag], check=False, capture_output=True, text=True)
        except OSError:
            continue
        if match := re.search(pattern, out.stdout + out.stderr):
            found[name] = match[1]
    return found
