"""What developers ask for on its way into the directory: once, whatever is cut off in between, and bounded."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
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
from fastgate.clock import wall_ns
from fastgate.control.questions import Intake
from fastgate.directory import Directory, Key, Org, Team, User
from fastgate.directory_budgets import Budget
from fastgate.refs import Secret
from fastgate.state import StateDir
from fastgate.stores.embedded import EmbeddedDirectory, open_directory
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
        intake = Intake(_Cut(self.store.budgets, cut), _Cut(self.questions, cut))  # type: ignore[arg-type]
        _Cut.steps = 0
        try:
            intake.take()
        except CutOffError:
            pass


class _Cut:
    """Counts what changes something, over both, and dies in front of one."""

    steps = 0

    def __init__(self, inner: Any, cut: int) -> None:
        self._inner, self._cut = inner, cut

    def __getattr__(self, name: str) -> Any:
        if name in ("take", "write", "drop"):
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
            world.take()
            world.take()
            here = {each: state for each, state in states.items() if of[each] == world.created_ns}
            assert {view.id: view.state for view in world.store.budgets.increases()[0]} == here
            assert {asked.id: asked.state for asked in world.questions.all()} == here
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
