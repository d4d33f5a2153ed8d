"""The linters and type checkers that everyone's editor runs, as tests: a clean tree is part of being done."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tidy.tree import ROOT, with_suffix

TOOLS = Path(sys.executable).parent
COMPILED = [path.stem for path in with_suffix(".pyx", under="src/fastgate/_core/")]


def lint(*command: str) -> None:
    """Run a tool of this environment at the project's root; its own report is the failure's text."""
    search = f"{TOOLS}{os.pathsep}{os.environ.get('PATH', '')}"
    env = {**os.environ, "PATH": search, "PYTHONPATH": str(ROOT / "src"), "NO_COLOR": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        pytest.fail(f"{' '.join(command)}\n{done.stdout}", pytrace=False)


def test_ruff_check() -> None:
    lint("ruff", "check", "--output-format=concise", ".")


def test_ruff_format() -> None:
    lint("ruff", "format", "--check", ".")


def test_mypy_strict() -> None:
    lint("mypy")


def test_cython_lint() -> None:
    lint("cython-lint", "src")


def test_layers() -> None:
    lint("lint-imports", "--no-logo", "--no-cache")


def test_stubs_tell_the_truth() -> None:
    """Each .pyi has exactly the names and signatures of the compiled module beside it."""
    modules = [f"fastgate._core.{name}" for name in COMPILED]
    lint("stubtest", *modules, "--allowlist", "tests/tidy/stubtest-allowed.txt", "--ignore-unused-allowlist")
