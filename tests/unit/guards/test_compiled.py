"""Compiled patterns on disk: those of configurations that are long gone do not stay for ever."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from fastgate.guards import compiled
from fastgate.guards.engine import Engine
from fastgate.guards.rule import Rule


def aged(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


def test_what_is_loaded_counts_as_used_and_the_rest_goes(tmp_path: Path) -> None:
    now = [Rule(id="now", title="x", pattern="abc", samples=("abc",))]
    Engine(now, tmp_path)
    used = set(tmp_path.iterdir())
    Engine([Rule(id="once", title="x", pattern="other", samples=("other",))], tmp_path)
    unfinished = tmp_path / ".half.hs.0123456789abcdef"
    unfinished.write_bytes(b"x")
    for path in tmp_path.iterdir():
        aged(path, compiled.UNUSED_S + 60)
    Engine(now, tmp_path)
    compiled.clear_unused(tmp_path, time.time())
    assert set(tmp_path.iterdir()) == used


def test_what_was_in_force_a_while_ago_stays(tmp_path: Path) -> None:
    Engine([Rule(id="once", title="x", pattern="abc", samples=("abc",))], tmp_path)
    made = set(tmp_path.iterdir())
    for path in made:
        aged(path, compiled.UNUSED_S - 60)
    compiled.clear_unused(tmp_path, time.time())
    assert set(tmp_path.iterdir()) == made


def test_a_folder_that_is_not_there_has_nothing_to_clear(tmp_path: Path) -> None:
    compiled.clear_unused(tmp_path / "none", time.time())


def test_what_cannot_be_kept_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_bytes(b"")
    compiled.keep(tmp_path / "file" / "x.hs", b"made")
    assert "cannot be kept" in caplog.text
