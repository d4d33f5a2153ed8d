"""One simulator and one data plane with the semantic cache on: alice and bob of team platform, carol of team data."""

from __future__ import annotations

import time
from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from tests.support.caching import OTHER_KEY, THIRD_KEY
from tests.support.plane import KEY, Plane, endpoint, key_row
from tests.support.semantic import CACHE_ON
from tests.support.sim import SimProcess

if not (find_spec("hnswlib") and find_spec("wordllama")):
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="module")
def shared_plane(simulator: SimProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    made = Plane(tmp_path_factory.mktemp("plane"), (endpoint(simulator.url),), cache=CACHE_ON)
    made.keys = [
        key_row(made.pepper, KEY),
        key_row(made.pepper, OTHER_KEY, key="bob-laptop", user="bob"),
        key_row(made.pepper, THIRD_KEY, key="carol-laptop", user="carol", team="data"),
    ]
    made.publish()
    yield made.start()
    made.stop()


@pytest.fixture
def plane(shared_plane: Plane, simulator: SimProcess) -> Iterator[Plane]:
    simulator.fresh()
    yield shared_plane
    simulator.unscript()
    shared_plane.wait_idle()
    if shared_plane.cache != CACHE_ON:
        shared_plane.cache = CACHE_ON
        shared_plane.publish()
        time.sleep(0.15)
