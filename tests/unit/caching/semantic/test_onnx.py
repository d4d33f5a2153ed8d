"""A model in files: vectors as its maker would have them, errors that name what is wrong, and calls that never wait."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

if not (find_spec("onnxruntime") and find_spec("tokenizers")):
    pytest.skip("the onnx extra is not installed: make install-test", allow_module_level=True)

from hypothesis import given, settings
from hypothesis import strategies as st

from fastgate import onnx
from fastgate.caching.semantic import build, embedder_onnx, trial
from fastgate.caching.semantic.embedder_onnx import Model, OnnxEmbedder
from fastgate.caching.semantic.model_folder import ModelFolder
from fastgate.caching.semantic.reading import TEXT_CHARS
from fastgate.caching.semantic.settings import SemanticEmbedder
from fastgate.guards.adapters import breaker
from fastgate.guards.adapters.breaker import FAILURES
from fastgate.snapshot_cache import VectorService
from tests.support import onnx_model
from tests.support.onnx_model import WORDS, minilm, small_model
from tests.support.semantic import policy_of

DIM = 16

TABLE = np.random.default_rng(7).normal(size=(len(WORDS), DIM)).astype(np.float32)


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return minilm(tmp_path_factory.mktemp("models") / "minilm")


def row(path: Path, dim: int = DIM, timeout_s: float = 5.0) -> VectorService:
    return VectorService("onnx", model=str(path), dimensions=dim, timeout_s=timeout_s)


# -- vectors ----------------------------------------------------------------------------------------------------------

POOLED = {
    "mean_tokens": lambda rows: sum(rows) / len(rows),
    "mean_sqrt_len_tokens": lambda rows: sum(rows) / len(rows) ** 0.5,
    "cls_token": lambda rows: rows[0],
    "max_tokens": lambda rows: np.array([max(row[n] for row in rows) for n in range(DIM)]),
}
"""What sentence-transformers' Pooling does, in numpy, one number at a time."""


def slowly(text: str, pooling: str, tokens_max: int) -> Any:
    """The vector of a text by the small model."""
    known = {word: n for n, word in enumerate(WORDS)}
    ids = [known["[CLS]"], *(known.get(word, known["[UNK]"]) for word in text.split()), known["[SEP]"]]
    if len(ids) > tokens_max:
        ids = [*ids[: tokens_max - 1], known["[SEP]"]]
    vector = POOLED[pooling]([TABLE[token].astype(np.float64) for token in ids])
    return vector / np.sqrt(sum(number * number for number in vector))


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.sampled_from([*WORDS[4:], "unknown"]), max_size=20).map(" ".join),
    st.sampled_from(sorted(POOLED)),
    st.sampled_from([None, 4, 12]),
)
def test_a_vector_is_what_the_maker_says(text: str, pooling: str, tokens_max: int | None) -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = small_model(Path(made), TABLE)
        told = {f"pooling_mode_{name}": name == pooling for name in POOLED}
        onnx_model.settings(folder, "1_Pooling/config.json", told)
        if tokens_max is not None:
            onnx_model.settings(folder, "sentence_bert_config.json", {"max_seq_length": tokens_max})
        found = Model(made, DIM).vector(text)
    assert found is not None
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, slowly(text, pooling, tokens_max or 8), atol=1e-6)


def test_a_real_model_embeds_as_its_pipeline_says(packaged: Path) -> None:
    """Tokens, mean over them, length 1: worked out here with the libraries alone, padded, as a batch would be."""
    from tokenizers import Tokenizer

    model = Model(str(packaged), 384)
    tokenizer = Tokenizer.from_file(str(packaged / "tokenizer.json"))
    tokenizer.enable_truncation(256)
    tokenizer.enable_padding()
    session = onnx.runtime().InferenceSession(str(packaged / "model.onnx"), providers=["CPUExecutionProvider"])
    long = "long " * 60
    texts = ["Explain how parse_header treats a header.", "Describe how parse_header treats a header.",
             "Bake a cake with apples.", long]  # fmt: skip
    encoded = tokenizer.encode_batch(texts)
    ids, mask = (np.array([getattr(each, name) for each in encoded]) for name in ("ids", "attention_mask"))
    feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    (hidden,) = session.run(None, feed)
    for text, rows, kept in zip(texts, hidden, mask, strict=True):
        mean = (rows * kept[:, None]).sum(axis=0) / kept.sum()
        np.testing.assert_allclose(model.vector(text), mean / np.linalg.norm(mean), atol=2e-5)
    a, b, c, d = (model.vector(text) for text in texts)
    assert a @ b > 0.9 > 0.5 > a @ c
    np.testing.assert_array_equal(model.vector("long " * 300), model.vector("long " * 254))
    assert d @ model.vector("long " * 254) < 1 - 1e-4, "cut at 256, not at the 128 that the tokenizer was saved with"


def test_prompts_and_case(tmp_path: Path) -> None:
    plain = Model(str(small_model(tmp_path / "plain", TABLE)), DIM)
    folder = small_model(tmp_path / "told", TABLE)
    onnx_model.settings(folder, "sentence_bert_config.json", {"do_lower_case": True})
    told = {"prompts": {"query": "the cat "}, "default_prompt_name": "query"}
    onnx_model.settings(folder, "config_sentence_transformers.json", told)
    np.testing.assert_array_equal(Model(str(folder), DIM).vector("SAT"), plain.vector("the cat sat"))


def test_a_graph_that_pools_by_itself(tmp_path: Path) -> None:
    """Its output is the text's vector, whatever the settings say."""
    folder = small_model(tmp_path, TABLE, output="sentence_embedding", shape=("batch", DIM), pools=True)
    onnx_model.settings(folder, "1_Pooling/config.json", {"pooling_mode": "cls"})
    found = Model(str(folder), DIM).vector("the cat sat")
    np.testing.assert_allclose(found, slowly("the cat sat", "mean_tokens", 8), atol=1e-6)


def test_a_model_for_long_texts_reads_no_more_than_is_looked_up(tmp_path: Path) -> None:
    """A token for each letter that a text and the prompt may have, and those around it."""
    folder = small_model(tmp_path, TABLE)
    onnx_model.settings(folder, "sentence_bert_config.json", {"max_seq_length": 1 << 20})
    told = {"prompts": {"query": "the cat "}, "default_prompt_name": "query"}
    onnx_model.settings(folder, "config_sentence_transformers.json", told)
    most = TEXT_CHARS + len("the cat ") + 16
    text = "sat " * 1500 + "mat " * 1500
    found = Model(str(folder), DIM).vector(text)
    np.testing.assert_allclose(found, slowly(f"the cat {text}", "mean_tokens", most), atol=1e-5)


def test_it_tells_nobody(tmp_path: Path) -> None:
    """onnxruntime keeps an id and a list of what it ran, and sends them: not here, not even where CI keeps it quiet."""
    folder = small_model(tmp_path / "model", TABLE)
    quiet = {"CI", "ORT_RUNNING_UNIT_TESTS", onnx.SILENT, "XDG_CACHE_HOME"}
    home = tmp_path / "home"
    home.mkdir()
    environ = {name: value for name, value in os.environ.items() if name not in quiet} | {"HOME": str(home)}
    argv = [sys.executable, "-P", "-m", trial.MODULE, str(folder), str(DIM)]
    done = subprocess.run(argv, env=environ, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, b"")
    assert list(home.iterdir()) == []


# -- which model it is ------------------------------------------------------------------------------------------------


def test_what_makes_other_vectors_makes_another_identity(tmp_path: Path) -> None:
    changes: dict[str, Callable[[Path], object]] = {
        "none": lambda folder: None,
        "weights": lambda folder: (folder / "model.onnx").write_bytes(onnx_model.graph(TABLE + 1)),
        "tokenizer": lambda folder: onnx_model.write_tokenizer(folder / "tokenizer.json", reversed(WORDS)),
        "pooling": lambda folder: onnx_model.settings(folder, "1_Pooling/config.json", {"pooling_mode": "cls"}),
        "length": lambda folder: onnx_model.settings(folder, "sentence_bert_config.json", {"max_seq_length": 6}),
        "case": lambda folder: onnx_model.settings(folder, "sentence_bert_config.json", {"do_lower_case": True}),
    }
    found = {}
    for name, change in changes.items():
        folder = small_model(tmp_path / name, TABLE)
        before = ModelFolder(str(folder)).identity
        change(folder)
        found[name] = ModelFolder(str(folder)).identity
        assert Model(str(folder), DIM).identity == found[name], "what is loaded is what is told"
        assert (before == found[name]) == (name == "none"), name
    assert len(set(found.values())) == len(changes)
    moved = small_model(tmp_path / "moved" / "elsewhere", TABLE)
    assert ModelFolder(str(moved)).identity == found["none"], "not where it lies"


def test_notes_of_one_model_are_none_of_another(tmp_path: Path) -> None:
    made = []
    for name, table in (("one", TABLE), ("two", TABLE + 1)):
        folder = small_model(tmp_path / name, table)
        policy = policy_of(embedder=SemanticEmbedder(kind="onnx", model=str(folder), dimensions=DIM))
        made.append(build.notes_of(policy))
    assert made[0].identity != made[1].identity
    assert {notes.dim for notes in made} == {DIM}


def test_a_file_may_be_named_and_folders_as_hubs_have_them(tmp_path: Path) -> None:
    folder = small_model(tmp_path / "hub", TABLE)
    (folder / "onnx").mkdir()
    (folder / "model.onnx").rename(folder / "onnx" / "model.onnx")
    whole = ModelFolder(str(folder))
    assert whole.graph == folder / "onnx" / "model.onnx"
    (folder / "onnx" / "model_int8.onnx").write_bytes(onnx_model.graph(TABLE / 2))
    named = ModelFolder(str(folder / "onnx" / "model_int8.onnx"))
    assert named.tokenizer == folder / "tokenizer.json"
    assert named.identity != whole.identity


# -- beside the loop --------------------------------------------------------------------------------------------------


class Held:
    """Stands in a model's way: texts are embedded when the gate is open."""

    def __init__(self, made: OnnxEmbedder) -> None:
        self.gate = threading.Event()
        self.begun: list[str] = []
        self.threads: set[int] = set()
        self._vector = made._model.vector
        made._model.vector = self.vector  # type: ignore[method-assign]

    def vector(self, text: str) -> Any:
        self.begun.append(text)
        self.threads.add(threading.get_ident())
        assert self.gate.wait(20)
        if text == "broken":
            raise RuntimeError("the runtime gives up")
        return self._vector(text)


@pytest.fixture
def embedder(tmp_path: Path) -> Iterator[OnnxEmbedder]:
    made = OnnxEmbedder(row(small_model(tmp_path, TABLE)))
    yield made
    made.close()


async def test_one_thread_embeds_and_the_loop_goes_on(embedder: OnnxEmbedder) -> None:
    held = Held(embedder)
    first, second = (asyncio.ensure_future(embedder.embed(text)) for text in ("the cat", "the dog"))
    while not held.begun:
        await asyncio.sleep(0)
    assert not first.done(), "the loop runs while the model is held"
    assert held.begun == ["the cat"], "one at a time"
    held.gate.set()
    found = await asyncio.gather(first, second)
    np.testing.assert_allclose(found, [slowly("the cat", "mean_tokens", 8), slowly("the dog", "mean_tokens", 8)],
                               atol=1e-6)  # fmt: skip
    assert len(held.threads) == 1
    assert threading.get_ident() not in held.threads
    assert embedder.waiting == 0


async def test_what_would_wait_too_long_is_a_miss(embedder: OnnxEmbedder) -> None:
    held = Held(embedder)
    waiting = [asyncio.ensure_future(embedder.embed(f"text {n}")) for n in range(embedder_onnx.WAITING_MAX)]
    while not held.begun:
        await asyncio.sleep(0)
    assert await embedder.embed("one more") is None
    for each in waiting[1:]:
        each.cancel()
    await asyncio.gather(*waiting[1:], return_exceptions=True)
    held.gate.set()
    assert await waiting[0] is not None
    assert await embedder.embed("the mat") is not None
    assert held.begun == ["text 0", "the mat"], "texts that nobody waits for are not embedded"


async def test_a_late_vector_is_a_miss_and_errors_are_counted(tmp_path: Path) -> None:
    embedder = OnnxEmbedder(row(small_model(tmp_path, TABLE), timeout_s=0.05))
    held = Held(embedder)
    assert await embedder.embed("the cat") is None
    assert await embedder.embed("the dog") is None
    held.gate.set()
    while embedder.waiting or not held.begun or await embedder.embed("the mat") is None:
        await asyncio.sleep(0.01)
    assert "the dog" not in held.begun, "late before it was begun"
    assert embedder.failures == 0
    assert await embedder.embed("broken") is None
    assert embedder.failures == 1
    assert await embedder.embed("the mat") is not None
    embedder.close()
    assert await embedder.embed("the mat") is None
    assert embedder.failures == 1


async def test_a_model_that_is_always_late_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No call waits for it then; half a minute later one does, and where it is in time the others do again."""
    embedder = OnnxEmbedder(row(small_model(tmp_path, TABLE), timeout_s=0.02))
    held = Held(embedder)
    for _ in range(FAILURES):
        assert await embedder.embed("the cat") is None
    held.gate.set()
    while embedder.waiting:
        await asyncio.sleep(0.01)
    begun = len(held.begun)
    assert await embedder.embed("the dog") is None
    assert len(held.begun) == begun
    now_ns = breaker.boot_ns()
    monkeypatch.setattr(breaker, "boot_ns", lambda: now_ns + (breaker.OPEN_S + 1) * 10**9)
    embedder._timeout_s = 5.0
    assert await embedder.embed("the mat") is not None
    assert await embedder.embed("the dog") is not None
    embedder.close()


def test_settings_are_those_of_the_files(packaged: Path) -> None:
    usage = ModelFolder(str(packaged)).usage
    assert (usage.pooling, usage.tokens_max, usage.lower, usage.prompt) == ("mean", 256, False, "")
    assert json.loads((packaged / "tokenizer.json").read_bytes())["truncation"]["max_length"] == 128
