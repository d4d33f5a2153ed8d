"""A model in files: vectors as its maker would have them, errors that name what is wrong, and calls that never wait."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

if not (find_spec("onnxruntime") and find_spec("tokenizers")):
    pytest.skip("the onnx extra is not installed: make install-test", allow_module_level=True)

from hypothesis import given, settings
from hypothesis import strategies as st

from fastgate import onnx
from fastgate.caching.semantic import build, embedder_onnx, trial
from fastgate.caching.semantic import settings as settings_of
from fastgate.caching.semantic.embedder_onnx import Model, OnnxEmbedder
from fastgate.caching.semantic.model_folder import ModelError, ModelFolder
from fastgate.caching.semantic.reading import TEXT_CHARS
from fastgate.caching.semantic.settings import SemanticCache, SemanticEmbedder
from fastgate.caching.settings import CacheSettings
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


def cache(path: Path, dim: int = DIM, mode: Any = "on", kind: Any = "onnx") -> CacheSettings:
    embedder = SemanticEmbedder(kind=kind, model=str(path), dimensions=dim)
    return CacheSettings(semantic=SemanticCache(mode=mode, embedder=embedder))


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


# -- what is wrong ----------------------------------------------------------------------------------------------------

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


def test_settings_are_those_of_the_files(packaged: Path) -> None:
    usage = ModelFolder(str(packaged)).usage
    assert (usage.pooling, usage.tokens_max, usage.lower, usage.prompt) == ("mean", 256, False, "")
    assert json.loads((packaged / "tokenizer.json").read_bytes())["truncation"]["max_length"] == 128
