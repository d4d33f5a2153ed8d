"""What developers ask for on its way into the directory: once, whatever is cut off in between, and bounded."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgate import asking
from fastgate.asking import Asked, Questions, TooManyError
from fastgate.clock import mono_ns, wall_ns
from fastgate.control.questions import SWEEP_NS, Intake
from fastgate.directory import Directory, Key, Org, Team, User
from fastgate.directory_budgets import Budget
from fastgate.refs import Secret
from fastgate.snapshot import BudgetRow
from fastgate.state import StateDir
from fastgate.stores.embedded import EmbeddedDirectory, open_directory
from fastgate.stores.ports import IncreaseDraft, IncreaseView, StoreError
from fastgate.times import NS

BASE = Directory(
    orgs=(Org(id="acme"),),
    teams=(Team(id="t", org="acme"),),
    users=(User(id="alice", team="t"),),
    keys=(Key(id="laptop", user="alice", secret=Secret("a-secret-of-another-gateway")),),
)
MONTH = Budget(id="m", level="user", of="alice", period="month", usd=Decimal(100))
NUMBERS = itertools.count(1)


class CutOffError(Exception):
    """The process is gone at this point."""


class World:
    """A directory and its questions; `cut` ends the control plane before its n-th write to either."""

    def __init__(self, folder: Path) -> None:
        self.state = StateDir(folder / "state")
        self.store: EmbeddedDirectory = open_directory(self.state, "a test")
        self.store.apply_directory(BASE, "tester")
        self.questions = Questions(self.state.questions_dir)
        self.approvers = Told()
        self.make()

    def make(self) -> None:
        self.created_ns = self.store.budgets.put(MONTH, "boss")[0].row.created_ns

    def ask(self, key: str = "laptop", **fields: Any) -> Asked:
        asked = Asked(
            id=f"inc-{next(NUMBERS):08x}", budget="m", created_ns=self.created_ns, cell="", key=key,
            amount_nano=5 * NS, not_after_ns=wall_ns() + 3600 * NS, reason="a release", asked_ns=wall_ns(),
        )  # fmt: skip
        asked = msgspec.structs.replace(asked, **fields)
        self.questions.put(asked)
        return asked

    def take(self, cut: int = 1 << 30) -> None:
        """The control plane looks; it is killed before its `cut`-th step that changes anything."""
        parts: Any = [_Cut(part, cut) for part in (self.store.budgets, self.questions, self.approvers)]
        intake = Intake(*parts)
        _Cut.steps = 0
        try:
            intake.take()
        except CutOffError:
            pass


class Told:
    """Stands for whoever decides. While `broken`, the disk takes no alerts."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.broken = False

    def asked(self, row: BudgetRow, view: IncreaseView) -> None:
        if self.broken:
            raise StoreError("unusable", "alerts.sqlite: disk full")
        assert (row.id, view.state) == (view.budget, "requested")
        self.told.append(view.id)

    def decided(self, view: IncreaseView) -> None:
        pass

    def waiting(self, views: Sequence[IncreaseView], before_ns: int) -> None:
        if self.broken:
            raise StoreError("unusable", "alerts.sqlite: disk full")
        assert all(view.state == "requested" and before_ns < view.not_after_ns for view in views)
        self.told += [view.id for view in views]


class _Cut:
    """Counts what changes something, over all, and dies in front of one."""

    steps = 0

    def __init__(self, inner: Any, cut: int) -> None:
        self._inner, self._cut = inner, cut

    def __getattr__(self, name: str) -> Any:
        if name in ("take", "write", "drop", "asked", "waiting"):
            _Cut.steps += 1
            if _Cut.steps >= self._cut:
                raise CutOffError
        return getattr(self._inner, name)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    with closing(made.store):
        yield made


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.just(0)),
        st.tuples(st.just("take"), st.integers(1, 6)),
        st.tuples(st.sampled_from(["approve", "deny", "end"]), st.integers(0, 4)),
        st.tuples(st.just("anew"), st.just(0)),
        st.tuples(st.just("alerts"), st.integers(0, 1)),
    ),
    min_size=4,
    max_size=24,
)


@given(STEPS)
@settings(max_examples=60)
def test_what_was_acknowledged_is_in_the_directory_once_wherever_the_control_plane_is_killed(
    steps: list[tuple[str, int]],
) -> None:
    """The slow model is a list: who asked for what of which budget, and what was decided."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        with closing(world.store):
            states: dict[str, str] = {}
            of: dict[str, int] = {}
            for what, n in steps:
                if what == "ask" and len(states) < asking.OPEN_PER_KEY:
                    asked = world.ask()
                    states[asked.id], of[asked.id] = "requested", asked.created_ns
                elif what == "take":
                    world.take(n)
                elif what == "alerts":
                    world.approvers.broken = bool(n)
                elif what == "anew":
                    world.store.budgets.remove("m", "boss")
                    world.make()
                elif what in ("approve", "deny", "end"):
                    known = sorted(view.id for view in world.store.budgets.increases()[0])
                    wanted, after = {"approve": ("requested", "approved"), "deny": ("requested", "denied"),
                                     "end": ("approved", "ended")}[what]  # fmt: skip
                    for each in known[n : n + 1]:
                        if states[each] == wanted:
                            world.store.budgets.decide(each, what, "boss")  # type: ignore[arg-type]
                            states[each] = after
            world.approvers.broken = False
            world.take()
            world.take()
            here = {each: state for each, state in states.items() if of[each] == world.created_ns}
            assert {view.id: view.state for view in world.store.budgets.increases()[0]} == here
            assert {asked.id: asked.state for asked in world.questions.all()} == here
            assert {one for one, state in here.items() if state == "requested"} <= set(world.approvers.told)
            logged = [event.change.id for event in world.store.changes(after=5, limit=1000)
                      if event.change.kind == "increase" and event.change.action == "request"]  # fmt: skip
            assert len(logged) == len(set(logged))


def test_a_key_has_five_open_and_others_are_not_in_its_way(world: World) -> None:
    for _ in range(asking.OPEN_PER_KEY):
        world.ask()
    with pytest.raises(TooManyError, match="5 increases of this key wait"):
        world.ask()
    assert len(world.questions.of("laptop")) == asking.OPEN_PER_KEY
    world.ask(key="another")
    world.take()
    with pytest.raises(TooManyError):
        world.ask()
    for view in world.store.budgets.increases()[0]:
        world.store.budgets.decide(view.id, "deny", "boss")
    world.take()
    with pytest.raises(TooManyError):  # within the hour, whatever became of them
        world.ask()
    world.ask(asked_ns=wall_ns() + asking.RATE_NS)


def test_all_keys_together_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "FILES_MAX", 2)
    world.ask(key="a")
    world.ask(key="b")
    with pytest.raises(TooManyError):
        world.ask(key="c")
    assert [asked.key for asked in world.questions.all()] == ["a", "b"]


def test_what_became_of_it_stays_for_a_day(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.take()
    asked = world.ask()
    world.take()
    world.store.budgets.decide(asked.id, "deny", "boss")
    world.take()
    (told,) = world.questions.of("laptop")
    assert (told.state, told.decided_by) == ("denied", "boss")
    now_ns = wall_ns()
    monkeypatch.setattr("fastgate.control.questions.wall_ns", lambda: now_ns + asking.KEPT_NS + 60 * NS)
    world.take()
    assert world.questions.all() == []


def test_a_damaged_file_is_told_and_in_nobodys_way(world: World, caplog: pytest.LogCaptureFixture) -> None:
    asked = world.ask()
    (world.state.questions_dir / "x-damaged.json").write_bytes(b"{")
    world.take()
    assert [view.id for view in world.store.budgets.increases()[0]] == [asked.id]
    assert "x-damaged.json" in caplog.text


def test_what_was_read_is_remembered_until_the_folder_changes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal asks each time; what anybody writes is seen at once, also within one tick of the file system."""
    read: list[str] = []
    real = Questions._read

    def counted(questions: Questions, prefix: str) -> list[Asked]:
        read.append(prefix)
        return real(questions, prefix)

    worker = Questions(world.state.questions_dir)
    first = world.ask()
    monkeypatch.setattr(Questions, "_read", counted)
    for _ in range(3):
        assert worker.of("laptop") == [first]
    assert len(read) == 3, "the folder has just changed, and may change again without another time"
    os.utime(world.state.questions_dir, ns=(0, wall_ns() - 2 * asking.SETTLED_NS))
    read.clear()
    for _ in range(3):
        assert (worker.of("laptop"), worker.of("another")) == ([first], [])
    assert len(read) == 2, "once for each key"
    world.questions.write(msgspec.structs.replace(first, state="denied"))
    assert [asked.state for asked in worker.of("laptop")] == ["denied"]
    second = world.ask()
    assert [asked.id for asked in worker.of("laptop")] == [first.id, second.id]
    world.questions.drop(first)
    assert worker.of("laptop") == [second]


def test_keys_that_are_remembered_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "KEYS_KEPT", 3)
    os.utime(world.state.questions_dir, ns=(0, wall_ns() - 2 * asking.SETTLED_NS))
    for n in range(10):
        assert world.questions.of(f"key-{n}") == []
        assert len(world.questions._kept.found) <= 3


def test_what_could_not_be_told_is_told_by_the_next_sweep(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """However it was asked for; and nobody is told again of what has lapsed."""
    intake = Intake(world.store.budgets, world.questions, world.approvers)
    intake.take()
    world.approvers.broken = True
    asked = world.ask()
    draft = IncreaseDraft("m", 5 * NS, wall_ns() + 3600 * NS, "a release")
    by_command = world.store.budgets.request(draft, "boss", approve=False)
    intake.ask(by_command)
    intake.take()
    assert world.approvers.told == []
    assert [one.state for one in world.questions.all()] == ["requested"], "alerts are in nobody's way"
    world.approvers.broken = False
    intake.take()
    assert world.approvers.told == [], "a minute is not over"
    now_ns = mono_ns()
    monkeypatch.setattr("fastgate.control.questions.mono_ns", lambda: now_ns + SWEEP_NS)
    intake.take()
    assert sorted(world.approvers.told) == sorted([asked.id, by_command.id])
    world.approvers.told.clear()
    later_ns = wall_ns() + 7200 * NS
    monkeypatch.setattr("fastgate.control.questions.wall_ns", lambda: later_ns)
    monkeypatch.setattr("fastgate.control.questions.mono_ns", lambda: now_ns + 2 * SWEEP_NS)
    intake.take()
    assert world.approvers.told == []
