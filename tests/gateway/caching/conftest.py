"""One simulator and one data plane with an exact cache a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.caching import lent, shared
from tests.support.plane import CACHE, Plane
from tests.support.sim import SimProcess


@pytest.fixture(scope="module")
def shared_plane(simulator: SimProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    yield from shared(tmp_path_factory.mktemp("plane"), simulator, CACHE)


@pytest.fixture
def plane(shared_plane: Plane, simulator: SimProcess) -> Iterator[Plane]:
    yield from lent(shared_plane, simulator, CACHE)
