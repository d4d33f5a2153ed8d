"""A model in files that cannot be used: what is wrong is named, and is tried where it harms no call."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

if not (find_spec("onnxruntime") and find_spec("tokenizers")):
    pytest.skip("the onnx extra is not installed: make install-test", allow_module_level=True)


from fastgate import onnx
from fastgate.caching.semantic import settings as settings_of
from fastgate.caching.semantic import trial
from fastgate.caching.semantic.embedder_onnx import Model
from fastgate.caching.semantic.model_folder import ModelError
from fastgate.caching.semantic.settings import SemanticCache, SemanticEmbedder
from fastgate.caching.settings import CacheSettings
from tests.support import onnx_model
from tests.support.onnx_model import WORDS, small_model

DIM = 16

TABLE = np.random.default_rng(7).normal(size=(len(WORDS), DIM)).astype(np.float32)


def cache(path: Path, dim: int = DIM, mode: Any = "on", kind: Any = "onnx") -> CacheSettings:
    embedder = SemanticEmbedder(kind=kind, model=str(path), dimensions=dim)
    return CacheSettings(semantic=SemanticCache(mode=mode, embedder=embedder))


Broken = tuple[Callable[[Path], object], str]

BROKEN: dict[str, Broken] = {
    "no folder": (lambda folder: [path.unlink() for path in folder.iterdir()] and folder.rmdir(), "there is no /"),
    "no graph": (lambda folder: (folder / "model.onnx").unlink(), "no model.onnx nor onnx/model.onnx in"),
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), "no tokenizer.json in"),
    "no ONNX": (lambda folder: (folder / "model.onnx").write_bytes(b"a page of HTML"), "cannot be loaded"),
    "half of it": (lambda folder: cut(folder / "model.onnx"), "cannot be loaded"),
    "no tokenizer in it": (lambda folder: (folder / "tokenizer.json").write_text("{}"), "cannot be loaded"),
    "no JSON": (lambda folder: (folder / "tokenizer.json").write_text("{"), "cannot be read"),
    "other inputs": (lambda folder: regraph(folder, inputs=("input_ids", "pixel_values")), "asks for pixel_values"),
    "no tokens": (lambda folder: regraph(folder, inputs=("attention_mask",)), "cannot be loaded|does not ask"),
    "other outputs": (lambda folder: regraph(folder, shape=("batch",)), "no vector of a text"),
    "dimension": (lambda folder: regraph(folder, TABLE[:, :8]), "vectors of 8 numbers, and `dimensions` says 16"),
    "no direction": (lambda folder: regraph(folder, TABLE * 0), "without a direction"),
    "more tokens than it knows": (lambda folder: regraph(folder, TABLE[:1]), "cannot read a text of 1 words"),
    "two poolings": (
        lambda folder: onnx_model.settings(
            folder, "1_Pooling/config.json", {"pooling_mode_cls_token": True, "pooling_mode_max_tokens": True}
        ),
        "pooling by cls_token and max_tokens is not possible",
    ),
    "another pooling": (
        lambda folder: onnx_model.settings(folder, "1_Pooling/config.json", {"pooling_mode": "lasttoken"}),
        "pooling by lasttoken is not possible",
    ),
    "a step that is not in the graph": (
        lambda folder: onnx_model.settings(folder, "modules.json", [{"type": "sentence_transformers.models.Dense"}]),
        "a module Dense is not known here",
    ),
    "no length": (
        lambda folder: onnx_model.settings(folder, "sentence_bert_config.json", {"max_seq_length": "long"}),
        "is no length",
    ),
    "a list of prompts": (
        lambda folder: onnx_model.settings(folder, "config_sentence_transformers.json", {"prompts": ["x"]}),
        "config_sentence_transformers.json: prompts is no object",
    ),
    "a list of names": (
        lambda folder: onnx_model.settings(folder, "config_sentence_transformers.json", {"default_prompt_name": ["x"]}),
        "the default prompt is no text",
    ),
    "a number as prompt": (
        lambda folder: onnx_model.settings(
            folder, "config_sentence_transformers.json", {"prompts": {"x": 1}, "default_prompt_name": "x"}
        ),
        "the default prompt is no text",
    ),
    "a list of lengths": (
        lambda folder: onnx_model.settings(folder, "tokenizer.json", {"truncation": [1]}),
        "tokenizer.json: truncation is no object",
    ),
}  # fmt: skip


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def regraph(folder: Path, table: Any = TABLE, **changes: Any) -> None:
    (folder / "model.onnx").write_bytes(onnx_model.graph(table, **changes))


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_wrong_is_named(tmp_path: Path, name: str) -> None:
    change, told = BROKEN[name]
    folder = small_model(tmp_path / "model", TABLE)
    Model(str(folder), DIM)
    change(folder)
    with pytest.raises(ModelError, match=told):
        Model(str(folder), DIM)


@pytest.mark.parametrize("here", [False, True])
def test_weights_that_no_fingerprint_covers_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: bool
) -> None:
    """Those in a file beside the graph: not even where the process happens to run in their folder."""
    folder = small_model(tmp_path, TABLE, beside="weights.bin")
    (folder / "weights.bin").write_bytes(TABLE.tobytes())
    if here:
        monkeypatch.chdir(folder)
    with pytest.raises(ModelError, match=r"cannot be loaded: .*[Ee]xternal"):
        Model(str(folder), DIM)


def test_it_is_tried_in_a_process_of_its_own(tmp_path: Path) -> None:
    folder = small_model(tmp_path / "model", TABLE)
    assert trial.wrong_with(cache(folder)) is None
    assert "`dimensions` says 17" in str(trial.wrong_with(cache(folder, 17)))
    regraph(folder, TABLE[:, :8])
    assert "vectors of 8 numbers" in str(trial.wrong_with(cache(folder))), "other bytes are another model"
    assert "there is no" in str(trial.wrong_with(cache(tmp_path / "nowhere")))
    assert trial.wrong_with(cache(tmp_path / "nowhere", mode="off")) is None
    assert trial.wrong_with(cache(tmp_path / "nowhere", kind="local")) is None
    assert trial.wrong_with(None) is None


def test_the_longest_text_is_tried_there_alone(tmp_path: Path) -> None:
    """A worker would keep the memory that it takes: what cannot read one is loaded, but it is never put in force."""
    folder = small_model(tmp_path, TABLE)
    regraph(folder, length=len(("[CLS]", "word", "[SEP]")))
    Model(str(folder), DIM)
    assert "cannot read a text of 8 words" in str(trial.wrong_with(cache(folder)))


def test_what_passes_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No time, no memory, no process: the same model is tried again, until it can be used."""
    folder = small_model(tmp_path, TABLE)
    run, tried = subprocess.run, []

    def fails(how: Any) -> Callable[..., Any]:
        def instead(argv: Any, **options: Any) -> Any:
            tried.append(argv)
            if isinstance(how, Exception):
                raise how
            return how or run(argv, **options)

        return instead

    killed = subprocess.CompletedProcess([], -9, b"", b"")
    for how, told in (
        (subprocess.TimeoutExpired([], 1), "could not be tried within"),
        (killed, "the process that tries it ends with -9"),
        (OSError(12, "Cannot allocate memory"), "could not be tried: .*Cannot allocate memory"),
    ):
        monkeypatch.setattr(trial.subprocess, "run", fails(how))
        assert re.search(told, str(trial.wrong_with(cache(folder))))
    monkeypatch.setattr(trial.subprocess, "run", fails(None))
    assert trial.wrong_with(cache(folder)) is None
    assert trial.wrong_with(cache(folder)) is None
    assert len(tried) == 4, "what can be used is tried once"


def test_a_package_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    semantic = cache(small_model(tmp_path, TABLE)).semantic
    assert settings_of.missing(semantic) is None
    find = settings_of.find_spec
    monkeypatch.setattr(settings_of, "find_spec", lambda name: None if name == "onnxruntime" else find(name))
    told = "an embedder of kind onnx needs the package onnxruntime: pip install 'fastgate[onnx]'"
    assert settings_of.missing(semantic) == told
    monkeypatch.setattr(onnx.importlib, "import_module", lambda name: exec("raise ImportError(name=name)"))
    with pytest.raises(ModelError, match=r"needs the package .*fastgate\[onnx\]"):
        Model(str(tmp_path), DIM)
    nameless = cache(Path()).semantic
    nameless = msgspec.structs.replace(nameless, embedder=SemanticEmbedder(kind="onnx"))
    assert settings_of.missing(nameless) == "an embedder of kind onnx needs a model"
