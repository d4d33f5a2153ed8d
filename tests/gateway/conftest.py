"""One simulator and one data plane a module; every test gets them clean and counts from where the journal stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fastgate.record import CallRecord
from tests.support.plane import Plane, endpoint
from tests.support.sim import Call, SimProcess, running


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimProcess]:
    with running(tmp_path_factory.mktemp("sim")) as process:
        yield process


@pytest.fixture(scope="module")
def plane(simulator: SimProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    running_plane = Plane(tmp_path_factory.mktemp("plane"), (endpoint(simulator.url),)).start()
    yield running_plane
    running_plane.stop()


@dataclass
class World:
    """The plane and its upstream, counting only what comes after this moment."""

    plane: Plane
    simulator: SimProcess
    seen_calls: int
    seen_records: int

    def calls(self, count: int) -> list[Call]:
        return self.simulator.settled(self.seen_calls + count)[self.seen_calls :]

    def records(self, count: int) -> list[CallRecord]:
        return self.plane.settled(self.seen_records + count)[self.seen_records :]

    def record(self) -> CallRecord:
        """The one record since the test began."""
        (record,) = self.records(1)
        return record


@pytest.fixture
def world(plane: Plane, simulator: SimProcess) -> Iterator[World]:
    yield World(plane, simulator, len(simulator.calls()), plane.recorded())
    simulator.unscript()
    plane.wait_idle()


@pytest.fixture
def tmp(tmp_path: Path) -> Path:
    return tmp_path
