"""Law of the usage table: whatever dies when, each finished call is counted exactly once and sums are exact."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fastgate.control import usage
from fastgate.control.ingest import Ingestor
from fastgate.control.usage import UsageTable
from fastgate.journal import KIND_CALL, JournalWriter, call_id
from tests.support.flights import encode, record


class Killed(BaseException):
    """Nothing catches this, as nothing catches a kill."""


class UsageMachine(RuleBasedStateMachine):
    """Two workers that write, die and come back; an ingestor that is killed between any two of its statements."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name)
        self.costs: dict[str, int] = {}
        self.numbers: dict[str, int] = {}
        self.writers = [self.new_writer(), self.new_writer()]
        self.table = UsageTable(self.path / "usage.sqlite")
        self.ingestor = Ingestor(self.table, self.path / "journal")
        self.patch = pytest.MonkeyPatch()
        self.counted = 0

    def new_writer(self) -> JournalWriter:
        writer = JournalWriter.create(self.path / "journal", segment_bytes=2000)
        self.numbers[writer.epoch] = 0
        return writer

    @rule(who=st.integers(0, 1), costs=st.lists(st.integers(0, 10**15), min_size=1, max_size=6))
    def finish_calls(self, who: int, costs: list[int]) -> None:
        writer = self.writers[who]
        for cost in costs:
            self.numbers[writer.epoch] += 1
            one = call_id(writer.epoch, self.numbers[writer.epoch])
            writer.append(KIND_CALL, encode(record(one, cost_nano=cost)))
            self.costs[one] = cost

    @rule(who=st.integers(0, 1), data=st.data())
    @precondition(lambda self: self.costs)
    def record_again(self, who: int, data: st.DataObject) -> None:
        """As a worker does whose first append was done although its disk said otherwise."""
        one = data.draw(st.sampled_from(sorted(self.costs)))
        self.writers[who].append(KIND_CALL, encode(record(one, cost_nano=self.costs[one])))

    @rule(who=st.integers(0, 1))
    def replace_worker(self, who: int) -> None:
        self.writers[who].close()
        self.writers[who] = self.new_writer()

    @rule(most=st.integers(1, 4))
    def take_some(self, most: int) -> None:
        for epoch in self.ingestor.news():
            self.table.take(self.ingestor.feed, epoch, most)

    @rule()
    def take_all(self) -> None:
        self.ingestor.catch_up()
        assert self.table.count() == len(self.costs)

    @rule(at=st.sampled_from(["_store", "_set_offset", "_note_damage"]), after=st.booleans())
    def kill_in_a_transaction(self, at: str, after: bool) -> None:
        real = getattr(usage, at)

        def killed(*args: object) -> None:
            if after:
                real(*args)
            raise Killed

        with self.patch.context() as patch:
            patch.setattr(usage, at, killed)
            try:
                self.ingestor.catch_up()
            except Killed:
                pass
        self.restart()

    @rule()
    def restart(self) -> None:
        self.table.close()
        self.table = UsageTable(self.path / "usage.sqlite")
        self.ingestor = Ingestor(self.table, self.path / "journal")

    @invariant()
    def what_is_counted_was_finished_and_stays(self) -> None:
        count = self.table.count()
        assert self.counted <= count <= len(self.costs)
        self.counted = count

    def teardown(self) -> None:
        self.ingestor.catch_up()
        (total,) = self.table.spend([])
        assert (total.calls, total.cost_nano) == (len(self.costs), sum(self.costs.values()))
        seen, cursor = {}, None
        while True:
            page, cursor = self.table.calls(limit=100, cursor=cursor)
            seen.update({one.id: one.cost_nano for one in page})
            if cursor is None:
                break
        assert seen == self.costs
        self.table.close()
        for writer in self.writers:
            writer.close()
        self.folder.cleanup()


TestUsageMachine = UsageMachine.TestCase
# A run opens the database some twenty times, 10 ms each.
TestUsageMachine.settings = settings(
    max_examples=settings.default.max_examples // 5, stateful_step_count=25, suppress_health_check=list(HealthCheck)
)
