"""An embedder that is a model in files (model_folder.py), run by onnxruntime in the worker, beside the loop.

One thread embeds one text at a time: a transformer takes milliseconds of a core, and calls need that core too. What
would have to wait for more than a few others is a miss at once, and so is what has no vector in time; where that goes
on, no call waits for it for a while, as for a service that fails (service.py).
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from fastgate import onnx
from fastgate.caching.semantic.embedder import Vector, unit
from fastgate.caching.semantic.model_folder import ModelError, ModelFolder, identity_of
from fastgate.caching.semantic.reading import TEXT_CHARS
from fastgate.guards.adapters.breaker import Breaker
from fastgate.log import Log

if TYPE_CHECKING:
    from fastgate.snapshot_cache import VectorService

WAITING_MAX = 16
"""Texts that are embedded or wait for it: at 10 ms each more would have waited as long as they may (200 ms)."""

KINDS = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
"""Types that tokens may have."""

INPUTS = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
"""What a graph may ask for, and where an encoded text has it."""

POOLED = "sentence_embedding"
"""The output of graphs that pool by themselves."""

WEIGHTS_FOLDER = "session.model_external_initializers_file_folder_path"

TRIED = "word "

SPECIAL_TOKENS = 16
"""Room for those that a tokenizer puts around a text; BERT's are two."""

log = Log("cache")


class Model:
    """A model that is loaded: a short text has a vector of `dim` numbers, and `try_longest` says whether the others do.
    Raises ModelError."""

    def __init__(self, path: str, dim: int) -> None:
        folder = ModelFolder(path)
        self.dim = dim
        self.usage = folder.usage
        try:
            onnxruntime = onnx.runtime()
            import tokenizers
        except ImportError as error:
            raise ModelError(f"a model in files needs the package {error.name}: pip install 'fastgate[onnx]'") from None
        graph, tokenizer = folder.read()
        self.identity = identity_of(self.usage, sha256(graph).digest(), sha256(tokenizer).digest())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_mem_pattern = False  # plans memory for one length; texts have many
        options.log_severity_level = 3  # errors
        # Weights in files of their own would be no part of the identity: they are looked for where none can be.
        options.add_session_config_entry(WEIGHTS_FOLDER, str(folder.graph))
        try:
            self._session: Any = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
            self._tokenizer: Any = tokenizers.Tokenizer.from_buffer(tokenizer)
        except onnx.errors() as error:
            raise ModelError(f"the model at {path} cannot be loaded: {error}") from None
        self._tokenizer.no_padding()
        # Attention takes memory by the square of the length: no more of it than texts that are looked up can ask for.
        self._tokens_max = min(self.usage.tokens_max, TEXT_CHARS + len(self.usage.prompt) + SPECIAL_TOKENS)
        self._tokenizer.enable_truncation(self._tokens_max)
        self._feeds = feeds_of(self._session)
        self._output = output_of(self._session)
        self._try(1)

    def vector(self, text: str) -> Vector | None:
        """Blocks for milliseconds. None for a text that has no direction."""
        return unit(self._embedded(text))

    def _embedded(self, text: str) -> Any:
        encoded = self._tokenizer.encode(self.usage.prompt + (text.lower() if self.usage.lower else text))
        feed = {name: np.array([getattr(encoded, INPUTS[name])], kind) for name, kind in self._feeds.items()}
        (found,) = self._session.run([self._output], feed)
        return pooled(found[0], np.array(encoded.attention_mask), self.usage.pooling)

    def try_longest(self) -> None:
        """Not in a worker: what onnxruntime takes for the longest text it never gives back. Raises ModelError."""
        self._try(self._tokens_max)

    def _try(self, words: int) -> None:
        try:
            found = self._embedded(TRIED * words)
        except onnx.errors() as error:
            raise ModelError(f"the model cannot read a text of {words} words: {error}") from None
        if found.shape != (self.dim,):
            told = "x".join(map(str, found.shape))
            raise ModelError(f"the model makes vectors of {told} numbers, and `dimensions` says {self.dim}")
        if unit(found) is None:
            raise ModelError("the model makes vectors without a direction")


class OnnxEmbedder:
    """The port over a model."""

    def __init__(self, row: VectorService) -> None:
        """Loads it, which takes a second."""
        self._model = Model(row.model, row.dimensions)
        self.identity = self._model.identity
        self.dim = row.dimensions
        self.waiting = 0
        """Texts that wait, the one that is embedded among them."""
        self.failures = 0
        """Since the worker began."""
        self._timeout_s = row.timeout_s
        self._thread = ThreadPoolExecutor(1, "cache-onnx")
        self._breaker = Breaker()
        self._closed = False

    async def embed(self, text: str) -> Vector | None:
        if self._closed or self.waiting >= WAITING_MAX or not self._breaker.allows():
            return None
        self.waiting += 1
        begun = self._thread.submit(self._model.vector, text)
        work = asyncio.wrap_future(begun)
        try:
            await asyncio.wait((work,), timeout=self._timeout_s)
            error = work.exception() if work.done() else None
            if work.done() and error is None:
                self._breaker.worked()
                return work.result()
            self._breaker.failed()
            if error is not None:
                self.failures += 1
                log.warning("the embedder of the semantic cache fails", why=error, failures=self.failures)
            return None
        except asyncio.CancelledError:
            self._breaker.gave_up()
            raise
        finally:
            self.waiting -= 1
            begun.cancel()  # a text that nobody waits for any more is not begun

    def close(self) -> None:
        self._closed = True
        self._thread.shutdown(wait=False, cancel_futures=True)


def feeds_of(session: Any) -> dict[str, Any]:
    """The inputs of a graph, with the type of their numbers."""
    found = {}
    for asked in session.get_inputs():
        if asked.name not in INPUTS or asked.type not in KINDS:
            known = ", ".join(INPUTS)
            raise ModelError(f"the model asks for {asked.name} of {asked.type}; known are {known} as whole numbers")
        found[asked.name] = KINDS[asked.type]
    if "input_ids" not in found:
        raise ModelError("the model does not ask for input_ids")
    return found


def output_of(session: Any) -> str:
    """The text's vector where the graph has it, else the first that has one for each token."""
    told = [(each.name, len(each.shape or ())) for each in session.get_outputs()]
    whole = [name for name, rank in told if rank == 2 and (name == POOLED or len(told) == 1)]
    of_tokens = [name for name, rank in told if rank == 3]
    if whole or of_tokens:
        return str((whole or of_tokens)[0])
    names = ", ".join(f"{name} of rank {rank}" for name, rank in told)
    raise ModelError(f"the model gives {names}: no vector of a text and none of its tokens")


def pooled(found: Any, mask: Any, pooling: str) -> Any:
    """One vector: `found` is it, or has one for each token, of which those count that the mask says."""
    if found.ndim == 1:
        return found
    if pooling == "cls":
        return found[0]
    kept = found[mask.astype(bool)]
    return kept.max(axis=0) if pooling == "max" else kept.mean(axis=0)
