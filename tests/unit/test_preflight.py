"""scripts/preflight.sh on machines that lack something: what it asks for is what that machine needs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tidy.tree import ROOT

SCRIPT = ROOT / "scripts" / "preflight.sh"
TOOLS = ("sh", "basename", "id", "cat", "env")
SUDO = "" if os.getuid() == 0 else "sudo "

PYTHON = f'exec {sys.executable} "$@"'
"""A python3 like the one that runs the tests."""


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder that is all of PATH, with nothing in it but what the script itself runs on."""
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (tmp_path / tool).symlink_to(found)
    return tmp_path


def put(machine: Path, name: str, script: str) -> None:
    path = machine / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def look(machine: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    everything = {"PATH": str(machine), **env}
    return subprocess.run([SCRIPT, *arguments], env=everything, capture_output=True, text=True, check=False)


def asked_for(done: subprocess.CompletedProcess[str]) -> str:
    """The one line to type, checked to be alone, with everything on standard error."""
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = [line.strip() for line in done.stderr.splitlines() if "apt-get install" in line]
    return line


def test_a_complete_machine_yields_its_python(machine: Path) -> None:
    put(machine, "python3", PYTHON)
    put(machine, "cc-here", "exit 0")
    done = look(machine, CC="cc-here")
    assert (done.returncode, done.stdout) == (0, f"{machine}/python3\n"), done.stderr


def test_a_compiler_that_is_called_through_another_command(machine: Path) -> None:
    put(machine, "python3", PYTHON)
    put(machine, "cache", 'test "$1" = gcc')
    done = look(machine, CC="cache gcc")
    assert (done.returncode, done.stdout) == (0, f"{machine}/python3\n"), done.stderr


def test_nothing_there(machine: Path) -> None:
    wanted = f"{SUDO}apt-get install -y python3 python3-venv python3-dev build-essential"
    assert asked_for(look(machine)) == wanted


def test_no_compiler(machine: Path) -> None:
    put(machine, "python3", PYTHON)
    assert asked_for(look(machine, CC="gcc")) == f"{SUDO}apt-get install -y build-essential"


def test_a_compiler_without_the_c_library(machine: Path) -> None:
    put(machine, "python3", PYTHON)
    put(machine, "gcc", "exit 1")
    assert asked_for(look(machine, CC="gcc")) == f"{SUDO}apt-get install -y build-essential"


def test_no_venv_and_no_headers(machine: Path) -> None:
    lacks = 'case "$2" in *ensurepip*) exit 1 ;; *get_path*) echo /nowhere; exit ;; esac'
    put(machine, "python3", f"{lacks}\n{PYTHON}")
    put(machine, "gcc", "exit 0")
    assert asked_for(look(machine, CC="gcc")) == f"{SUDO}apt-get install -y python3-venv python3-dev"


def test_an_old_python3_gets_a_newer_one_beside_it(machine: Path) -> None:
    put(machine, "python3", "exit 1")
    put(machine, "gcc", "exit 0")
    assert asked_for(look(machine)) == f"{SUDO}apt-get install -y python3.11 python3.11-venv python3.11-dev"


def test_a_newer_python_beside_an_old_python3_is_taken(machine: Path) -> None:
    put(machine, "python3", "exit 1")
    put(machine, "python3.12", PYTHON)
    put(machine, "gcc", "exit 0")
    assert look(machine, CC="gcc").stdout == f"{machine}/python3.12\n"


def test_make_stops_at_once_with_the_line(machine: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    checkout = tmp_path_factory.mktemp("checkout")
    shutil.copy(ROOT / "Makefile", checkout)
    shutil.copytree(ROOT / "scripts", checkout / "scripts")
    for name in ("pyproject.toml", "setup.py", "requirements/constraints.txt"):
        (checkout / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, checkout / name)
    make = shutil.which("make")
    assert make is not None
    done = subprocess.run(
        [make, "up"], cwd=checkout, env={"PATH": str(machine)}, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "apt-get install -y python3 " in done.stderr
    assert not (checkout / ".venv").exists()
