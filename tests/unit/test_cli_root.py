"""The command tree itself: help, unknown commands, shared options, exit codes, and what importing it costs."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate.cli.options import Command, Group, as_json, chosen_config
from fastgate.cli.root import COMMANDS, root
from fastgate.similar import nearest
from tests.support.command import environment, fastgate, invoke

HELP_S, BARE_S = 0.150, 0.020
"""The contract's bound for `fastgate --help`, and what a machine that it is meant for takes to start Python at all."""

HEAVY = ("litestar", "sqlalchemy", "genai_prices", "rich", "yaml", "msgspec", "granian", "fastgate.config")
LATER = ("policy",)


def tree(command: click.Command, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
    found = [(path, command)]
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            found += tree(inner, (*path, name))
    return found


ALL = tree(root)


@pytest.mark.parametrize(("path", "command"), ALL, ids=[" ".join(path) or "fastgate" for path, _ in ALL])
def test_every_command_takes_the_shared_options_and_has_help(path: tuple[str, ...], command: click.Command) -> None:
    assert isinstance(command, (Command, Group))
    names = {name for param in command.params for name in param.opts}
    assert {"-c", "--config", "--json"} <= names
    done = invoke(*path, "--help")
    assert done.code == 0
    assert command.help
    assert done.out.startswith("Usage: fastgate")


def test_help_lists_every_command_with_its_summary() -> None:
    out = " ".join(invoke("--help").out.split())
    for name, (_, summary) in COMMANDS.items():
        assert f"{name} {summary}" in out


@pytest.mark.parametrize("name", LATER)
def test_a_command_of_a_later_version_does_not_exist(name: str) -> None:
    done = invoke(name, "list")
    assert done.code == 2
    assert f"does not have `fastgate {name}` yet" in done.err


def test_a_typing_error_names_the_nearest_command() -> None:
    done = invoke("kyes", "list", "--json")
    assert done.code == 2
    assert done.error["exit_code"] == 2
    assert "Did you mean `fastgate keys`?" in done.error["message"]
    assert "Did you mean `fastgate keys list`?" in invoke("keys", "lst").err


def test_wrong_usage_is_exit_code_2_also_as_json() -> None:
    assert invoke("init", "--no-such-option").code == 2
    done = invoke("init", "a", "b", "--json")
    assert (done.code, done.error["exit_code"]) == (2, 2)


def test_version() -> None:
    assert invoke("--version").out.startswith("fastgate 0.")


@given(json_at=st.integers(0, 3), config_at=st.integers(0, 3))
def test_shared_options_work_at_any_place(json_at: int, config_at: int) -> None:
    """Before the group, before the command, before or after its argument: always the same."""
    seen = []

    @click.group("top", cls=Group)
    def top() -> None: ...

    @top.group("inner", cls=Group)
    def inner() -> None: ...

    @inner.command("leaf", cls=Command)
    @click.argument("target")
    def leaf(target: str) -> None:
        seen.append((target, as_json(), chosen_config()))

    line: list[str] = []
    for place, word in enumerate(("inner", "leaf", "argument", "")):
        line += ["--json"] * (place == json_at) + ["-c", "file.yaml"] * (place == config_at) + [word] * bool(word)
    top.main(line, standalone_mode=False)
    assert seen == [("argument", True, Path("file.yaml"))]


@given(st.text(max_size=12))
def test_nearest_is_a_known_name_or_nothing(name: str) -> None:
    assert nearest(name, tuple(COMMANDS)) in {"", *COMMANDS}


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom fastgate.cli.root import root\n"
        "root.main(['--help'], standalone_mode=False)\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_is_quick(tmp_path: Path) -> None:
    """In CPU time and against what Python alone takes in the same moments: a busy machine slows both."""
    ratios = []
    for _ in range(5):
        begun = children_cpu_s()
        subprocess.run([sys.executable, "-c", "pass"], env=environment(), check=True)
        middle = children_cpu_s()
        assert fastgate("--help", cwd=tmp_path).code == 0
        ratios.append((children_cpu_s() - middle) / (middle - begun))
    assert min(ratios) < HELP_S / BARE_S


def children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
