"""One simulator and one data plane with the semantic cache on a module."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from tests.support.caching import lent, shared
from tests.support.plane import Plane
from tests.support.semantic import CACHE_ON
from tests.support.sim import SimProcess

if not (find_spec("hnswlib") and find_spec("wordllama")):
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="module")
def shared_plane(simulator: SimProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    yield from shared(tmp_path_factory.mktemp("plane"), simulator, CACHE_ON)


@pytest.fixture
def plane(shared_plane: Plane, simulator: SimProcess) -> Iterator[Plane]:
    yield from lent(shared_plane, simulator, CACHE_ON)
