"""A reload puts two files in force. One that dies in between leaves a restarted control plane with both or neither."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from fastgate.control import kept
from fastgate.control.errors import OperationError
from fastgate.control.operations import Operations
from fastgate.control.shapes import NewKey
from fastgate.stores.embedded import open_directory
from tests.unit.control.test_operations import CONFIG, DIRECTORY, folder, operations

__all__ = ["folder", "operations"]

CHANGED = CONFIG + "# changed\n"

DIED_AT = {
    "fastgate.stores.embedded.carry_out": (CONFIG, ["alice"]),
    "fastgate.stores.embedded.write_changes": (CONFIG, ["alice"]),
    "fastgate.control.kept.settle": (CHANGED, ["alice", "bob"]),
}
"""Where a reload may die, and which configuration and directory a control plane then starts with."""


class Died(BaseException):
    """In place of kill -9 at that place: nothing that comes after it is done."""


def dies(*_: object) -> None:
    raise Died


def change(folder: Path) -> None:
    (folder / "fastgate.yaml").write_text(CHANGED)
    (folder / "directory.yaml").write_text(DIRECTORY.replace("users: [", "users: [{id: bob, team: platform}, "))


def texts(operations: Operations) -> list[str]:
    return [path.read_text() for path in sorted(operations.state.path.glob("*in-force*"))]


def restart(operations: Operations) -> None:
    with closing(open_directory(operations.state)) as found:
        kept.tidy(operations.state, found.noted())


@pytest.mark.promise("P-26", bound="a reload that dies puts both files in force, or neither")
@pytest.mark.parametrize("place", DIED_AT)
def test_a_reload_that_dies_puts_both_files_in_force_or_neither(
    operations: Operations, folder: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    change(folder)
    with monkeypatch.context() as patched:
        patched.setattr(place, dies)
        with pytest.raises(Died):
            operations.reload("t")
    assert len(texts(operations)) == 2
    restart(operations)
    text, users = DIED_AT[place]
    assert texts(operations) == [text]
    assert [user.id for user in operations.list_users().items] == users


def test_nothing_is_left_of_a_reload_that_ends(operations: Operations, folder: Path) -> None:
    operations.create_key(NewKey(user="alice", id="mine"), "t")
    (folder / "fastgate.yaml").write_text(CHANGED)
    taken = "keys: [{id: mine, user: alice, secret: sk-another-secret-0123456789}, "
    (folder / "directory.yaml").write_text(DIRECTORY.replace("keys: [", taken))
    with pytest.raises(OperationError, match="mine"):
        operations.reload("t")
    assert texts(operations) == [CONFIG]
    (folder / "directory.yaml").write_text(DIRECTORY)
    operations.reload("t")
    assert texts(operations) == [CHANGED]


def test_a_configuration_without_a_directory_is_noted_too(
    operations: Operations, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one that was in force before it would count as applied when a reload back to it dies."""
    (folder / "fastgate.yaml").write_text(CHANGED.replace("directory: directory.yaml\n", ""))
    operations.reload("t")
    (folder / "fastgate.yaml").write_text(CONFIG)
    with monkeypatch.context() as patched:
        patched.setattr("fastgate.stores.embedded.carry_out", dies)
        with pytest.raises(Died):
            operations.reload("t")
    restart(operations)
    assert texts(operations) == [CHANGED.replace("directory: directory.yaml\n", "")]
