"""Law of the flight table: after any run of claims, amendments, figures and releases, a kill leaves exactly the calls
that are in flight, each with its newest note and that attempt's figures."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from fastgate._core.flight import FlightTable
from fastgate._core.usage import Usage
from fastgate.journal import new_epoch
from fastgate.journal.flight import abandoned, fit_note, peek
from tests.model.flight import FIGURES, FLAGS, TOOLS, Table
from tests.support.flights import note

SLOTS = 3

notes = st.builds(note, user=st.text(max_size=20), session=st.text(max_size=40), bound_nano=st.integers(0, 1 << 62))
counts = st.integers(0, 1 << 53)
usages = st.fixed_dictionaries(
    {**dict.fromkeys(FIGURES, counts), **dict.fromkeys(TOOLS, counts), **dict.fromkeys(FLAGS, st.booleans())}
)


class FlightMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "w.flight"
        self.table = FlightTable.create(self.path, new_epoch(), SLOTS)
        self.model = Table(SLOTS)
        self.n = 0

    @rule(at_ns=st.integers(-(1 << 63), (1 << 63) - 1), what=notes)
    def claim(self, at_ns: int, what: Any) -> None:
        self.n += 1
        self.model.claim(self.table.claim(self.n, at_ns, fit_note(what)), self.n, at_ns, what)

    @rule(data=st.data(), what=notes)
    @precondition(lambda self: self.model.taken)
    def amend(self, data: st.DataObject, what: Any) -> None:
        slot = data.draw(st.sampled_from(sorted(self.model.taken)))
        self.table.amend(slot, fit_note(what))
        self.model.taken[slot].amend(what)

    @rule(data=st.data(), usage=usages, output_bytes=counts)
    @precondition(lambda self: self.model.taken)
    def note(self, data: st.DataObject, usage: dict[str, Any], output_bytes: int) -> None:
        slot = data.draw(st.sampled_from(sorted(self.model.taken)))
        self.table.note_usage(slot, Usage.of(**usage), output_bytes)
        self.model.taken[slot].usage = usage
        self.model.taken[slot].output_bytes = output_bytes
        self.model.taken[slot].sent = True

    @rule(data=st.data())
    @precondition(lambda self: self.model.taken)
    def release(self, data: st.DataObject) -> None:
        slot = data.draw(st.sampled_from(sorted(self.model.taken)))
        self.table.release(slot)
        del self.model.taken[slot]

    @rule(generation=st.integers(0, (1 << 64) - 1))
    def adopt(self, generation: int) -> None:
        self.table.generation = generation
        assert peek(self.path).generation == generation

    @rule()
    def a_kill_now_leaves_what_is_in_flight(self) -> None:
        killed = abandoned(Path(shutil.copy(self.path, self.path.with_name("killed.flight"))))
        assert killed is not None
        with killed:
            calls, unreadable = killed.calls()
            assert killed.header().in_flight == self.table.in_flight == len(self.model.taken)
        assert unreadable == 0
        assert [tuple(call) for call in calls] == self.model.told()

    def teardown(self) -> None:
        self.a_kill_now_leaves_what_is_in_flight()
        self.table.close()
        assert self.path.exists() == bool(self.model.taken)
        self.folder.cleanup()


TestFlightMachine = FlightMachine.TestCase
