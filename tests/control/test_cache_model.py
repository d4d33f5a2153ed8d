"""The embedder that is a model in files, as an operator names it: taken when it works, refused by name when not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest

if not (find_spec("hnswlib") and find_spec("onnxruntime") and find_spec("tokenizers")):
    pytest.skip("the onnx extra is not installed: make install-test", allow_module_level=True)

import numpy as np

from fastgate.supervisor.prepare import BAD_INPUT
from tests.support import onnx_model
from tests.support.admin import admin, message
from tests.support.gateway import Gateway, serving
from tests.support.sim import SimProcess

DIM = 16

MODEL = "\n".join(
    (
        "cache:",
        "  semantic:",
        "    mode: on",
        "    namespace: team",
        "    embedder: {{kind: onnx, model: {model}, dimensions: {dim}, timeout_ms: 5000}}",
        "",
    )
)


@pytest.fixture(scope="module")
def gateway(upstream: SimProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    table = np.random.default_rng(5).normal(size=(len(onnx_model.WORDS), DIM))
    onnx_model.small_model(folder / "models" / "small", table)
    with serving(folder, upstream.url, more=MODEL.format(model="models/small", dim=DIM)) as served:
        yield served


def cache_of(gateway: Gateway, text: str) -> str:
    return message(gateway, text)[1]["x-fastgate-cache"]


def test_a_model_is_named_relative_to_the_file_and_one_that_does_not_work_is_refused(gateway: Gateway) -> None:
    assert cache_of(gateway, "Tell where the cat sat.") == "miss"
    assert cache_of(gateway, "Please tell where the cat sat.") == "hit-semantic"
    config = gateway.directory / "fastgate.yaml"
    good = config.read_text()

    def reload(**changes: Any) -> tuple[int, str]:
        config.write_text(good.replace("dimensions: 16", f"dimensions: {changes.get('dim', DIM)}").replace(
            "models/small", changes.get("model", "models/small")))  # fmt: skip
        status, answer = admin(gateway, "POST", "/reload")
        return status, json.dumps(answer)

    for changes, told in (
        ({"dim": 384}, "the model makes vectors of 16 numbers, and `dimensions` says 384"),
        ({"model": "models/none"}, f"there is no {gateway.directory / 'models' / 'none'}"),
        ({"model": "models"}, "there is no model.onnx nor onnx/model.onnx in"),
    ):
        status, answer = reload(**changes)
        assert status == 422, answer
        assert "cache.semantic.embedder" in answer
        assert told in answer
        assert cache_of(gateway, "So please tell where the cat sat.") == "hit-semantic", "what was in force still is"
    assert reload()[0] == 200


def test_a_gateway_does_not_start_with_one(gateway: Gateway) -> None:
    assert gateway.stop() == 0
    (gateway.directory / "models" / "small" / "tokenizer.json").unlink()
    done = gateway.cli("serve")
    assert done.code == BAD_INPUT, done
    assert "`cache.semantic.embedder`: there is no tokenizer.json in" in done.err
