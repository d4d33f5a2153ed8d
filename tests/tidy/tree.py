"""Which files are ours: what git tracks or would track, or every file where there is no git (a source archive)."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

NOT_OURS = {".git", ".venv", "build", "dist", ".peers", "node_modules", "__pycache__", "fastgate-data"}
"""Folders that are never ours; .gitignore says the same to git."""


def _git(*options: str) -> list[str] | None:
    """The paths `git ls-files` prints, or None where this is not a git checkout."""
    if not (ROOT / ".git").exists():
        return None
    done = subprocess.run(["git", "ls-files", "-z", *options], cwd=ROOT, capture_output=True, text=True, check=True)
    return sorted({name for name in done.stdout.split("\0") if name})


def _walk() -> list[str]:
    found: list[str] = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in NOT_OURS and not name.endswith((".egg-info", "_cache"))]
        found += [os.path.relpath(os.path.join(folder, name), ROOT) for name in names if not name.endswith(".so")]
    return sorted(found)


@cache
def ours() -> tuple[Path, ...]:
    """Every file of the project, relative to its root, also the ones that are not committed yet."""
    names = _git("--cached", "--others", "--exclude-standard") or _walk()
    return tuple(Path(name) for name in names if (ROOT / name).is_file())


def tracked() -> list[str]:
    """The paths that git tracks; empty outside a checkout."""
    return _git("--cached") or []


def with_suffix(*suffixes: str, under: str = "") -> list[Path]:
    return [path for path in ours() if path.suffix in suffixes and path.as_posix().startswith(under)]


@cache
def text(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def compiled() -> list[Path]:
    """The sources that become extension modules: Cython's, and each Python file with a layout beside it."""
    typed = [path.with_suffix(".py") for path in with_suffix(".pxd", under="src/")]
    return with_suffix(".pyx", under="src/") + [path for path in typed if path in ours()]


def built(source: Path) -> list[Path]:
    """The extension modules that lie beside a source."""
    return sorted((ROOT / source.parent).glob(f"{source.stem}.*.so"))
