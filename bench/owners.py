"""Whose work a sample of the profiler is, and what that says of a goal that was missed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Shares = dict[str, float]
"""µs of a call by owner."""

OWNERS = (
    "kernel", "server", "event loop", "interpreter", "ours", "pattern matcher", "C library", "rest", "control plane",
)  # fmt: skip

PARTS = (
    ("/_granian", "server"),
    ("/nginx", "server"),
    ("/uvloop/", "event loop"),
    ("/httptools/", "event loop"),
    ("/fastgate/", "ours"),
    ("hyperscan", "pattern matcher"),
    ("/libc.so", "C library"),
    ("/libc-", "C library"),
    ("/libpython", "interpreter"),
    ("/lib-dynload/", "interpreter"),
    ("/bin/python", "interpreter"),
    ("/msgspec/", "interpreter"),
    ("/ld-linux", "interpreter"),
)
"""Parts of the path of a program or library, the first that fits."""


def owner_of(dso: str) -> str:
    """The owner of code that lies in `dso`, as perf names it: a path, or a name in brackets for what is the kernel's
    (`[vdso]` is, too; `[unknown]` is nobody's)."""
    if dso.startswith("[") and dso != "[unknown]":
        return "kernel"
    return next((owner for part, owner in PARTS if part in dso), "rest")


def shares_in(folder: Path) -> dict[str, Shares]:
    """What bench.profile found, by load; nothing where it did not run."""
    path = folder / "profile.json"
    document: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    shares: dict[str, Shares] = document.get("shares", {})
    return shares


def why(load: str, found: dict[str, Shares]) -> str:
    """Where the time of a load goes, largest first, and against what: the same load through nginx, or the same row with
    nothing more switched on. Empty where the load was not profiled."""
    shares = found.get(load)
    if not shares:
        return ""
    row, _, target = load.partition("/")
    parts = sorted(shares.items(), key=lambda part: -part[1])
    told = f"{sum(shares.values()):.1f} µs of CPU: " + ", ".join(f"{owner} {us:.1f}" for owner, us in parts)
    plain = found.get(f"{row}/fastgate")
    if target != "fastgate" and plain:
        more = {owner: shares.get(owner, 0.0) - plain.get(owner, 0.0) for owner in OWNERS}
        changes = sorted(more.items(), key=lambda part: -abs(part[1]))[:4]
        return f"{told}; to the same without it " + ", ".join(f"{owner} {us:+.1f}" for owner, us in changes)
    theirs = found.get(f"{row}/nginx")
    if theirs:
        kernel = theirs.get("kernel", 0.0)
        return f"{told}; nginx {sum(theirs.values()):.1f}, of which the kernel {kernel:.1f}"
    return told
