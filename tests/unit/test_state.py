"""The state directory: private, provably writable, one writer."""

import os
import subprocess
import sys

import pytest

from fastgate.state import StateBusyError, StateDir, StateError


def test_everything_lies_under_one_private_directory(tmp_path):
    state = StateDir(tmp_path / "a" / "b").create().create()
    assert state.path.stat().st_mode & 0o777 == 0o700
    paths = [getattr(state, name) for name, kind in vars(StateDir).items() if isinstance(kind, property)]
    assert all(path.parent == state.path for path in paths)
    assert len(set(paths)) == len(paths) >= 10


def test_every_directory_in_it_is_private_whatever_the_umask(tmp_path):
    before = os.umask(0o022)
    try:
        state = StateDir(tmp_path / "s").create()
        (state.cache_dir / "flights").mkdir(mode=0o700, parents=True, exist_ok=True)  # as workers do
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in state.path.iterdir()}
    assert modes == dict.fromkeys(("cache", "flight", "journal", "lag", "questions", "rates"), 0o700)


def test_what_was_open_to_others_is_shut_and_told(tmp_path, caplog):
    state = StateDir(tmp_path / "s").create()
    state.cache_dir.chmod(0o755)
    state.path.chmod(0o750)
    state.create()
    assert state.cache_dir.stat().st_mode & 0o777 == 0o700
    assert state.path.stat().st_mode & 0o777 == 0o750
    assert f"{state.cache_dir} was open to others (mode 755)" in caplog.text
    caplog.clear()
    state.create()
    assert not caplog.text


def test_what_cannot_be_shut_is_told(tmp_path, monkeypatch):
    state = StateDir(tmp_path / "s").create()
    state.cache_dir.chmod(0o755)

    def refused(path, mode):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(type(state.path), "chmod", refused)
    with pytest.raises(
        StateError, match=r"cache is open to others \(mode 755\): Operation not permitted; chmod 700 it"
    ):
        state.create()


def test_a_file_in_its_place_is_named(tmp_path):
    (tmp_path / "s").write_text("")
    with pytest.raises(StateError, match="s is a file"):
        StateDir(tmp_path / "s").create()


def test_an_unwritable_directory_is_named(tmp_path, monkeypatch):
    # The tests may run as root, whom no mode stops.
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path / "s" or not mode & os.W_OK)
    with pytest.raises(StateError, match="s is not writable for user id"):
        StateDir(tmp_path / "s").create()


def test_a_path_that_cannot_exist_is_named():
    with pytest.raises(StateError, match="cannot be made"):
        StateDir("/proc/none/state").create()


def test_the_second_writer_is_refused_by_name_until_the_first_ends(tmp_path):
    state = StateDir(tmp_path).create()
    with (
        state.lock_writer("the control plane"),
        pytest.raises(StateBusyError, match=rf"is being written by the control plane \(process {os.getpid()}\)"),
    ):
        state.lock_writer("another")
    state.lock_writer("another").release()


def test_a_killed_writer_leaves_no_lock(tmp_path):
    state = StateDir(tmp_path).create()
    take = "l = StateDir(sys.argv[1]).lock_writer('x'); print(1, flush=True); input()"
    code = f"import sys; from fastgate.state import StateDir; {take}"
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert child.stdout is not None and child.stdin is not None
    assert child.stdout.readline() == b"1\n"
    with pytest.raises(StateBusyError, match=rf"x \(process {child.pid}\)"):
        state.lock_writer("y")
    child.kill()
    child.communicate()
    state.lock_writer("y").release()
