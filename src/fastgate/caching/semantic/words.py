"""Vectors of words, from the weights that the package `wordllama` ships: read here, without importing it.

Its own loader goes to the network (it looks for its tokenizer where the wheel has none) and loads a validation and an
HTTP library. All that is needed is a table of 32,000 x 256 half floats, mapped so that workers share its pages, and the
byte-pair merges of its tokenizer; a word's vector is the sum of its pieces' and is kept once made.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from fastgate.caching.semantic.model_folder import ModelError

PACKAGE = "wordllama"
WEIGHTS = "weights/l2_supercat_256.safetensors"
TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"
TABLE = "embedding.weight"

IDENTITY = "wordllama-l2-256"
"""Names these weights and this way to read words: vectors of another name are not comparable."""

DIM = 256
"""Of the table; one of another width is another installation's."""

START = "\u2581"
"""What the tokenizer writes before a word."""

WORDS_KEPT = 16_384
"""Words whose vectors are remembered, a kilobyte each: what a team writes in a week."""

WORD_CHARS = 64
"""Longest word that is cut into pieces; what is longer is no word, and only its beginning counts."""


NEVER = 1 << 30
"""The rank of two pieces that are not merged."""


class NoWeightsError(ModelError):
    """The weights are not installed; the message says what to install."""


class Words:
    """The vectors of one installation."""

    def __init__(self, folder: Path | None = None) -> None:
        folder = installed() if folder is None else folder
        try:
            self._table = read_table(folder / WEIGHTS)
            told = json.loads((folder / TOKENIZER).read_bytes())["model"]
        except (OSError, KeyError, ValueError) as error:
            raise NoWeightsError(f"the weights of {PACKAGE} cannot be read: {error}") from None
        self._ids: dict[str, int] = told["vocab"]
        merges = [pair.split(" ") if isinstance(pair, str) else pair for pair in told["merges"]]
        self._ranks = {(one, other): n for n, (one, other) in enumerate(merges)}
        self._kept: dict[str, Any] = {}
        self.dim: int = self._table.shape[1]

    def vector(self, word: str) -> Any:
        """The sum of the word's pieces, float32; not to be changed."""
        known = self._kept.get(word)
        if known is None:
            ids = list(self._pieces(word[:WORD_CHARS]))
            known = self._table[ids].astype(np.float32).sum(axis=0)
            if len(self._kept) >= WORDS_KEPT:
                self._kept.clear()
            self._kept[word] = known
        return known

    def likeness(self, one: str, other: str) -> float:
        """Cosine of two words."""
        a, b = self.vector(one), self.vector(other)
        size = float(np.sqrt((a @ a) * (b @ b)))
        return float(a @ b) / size if size else 0.0

    def _pieces(self, word: str) -> Iterator[int]:
        """The ids of a word's pieces, by the merges of lowest rank first, as the tokenizer's training had them."""
        parts = [START, *word]
        while len(parts) > 1:
            rank, at = min((self._ranks.get(pair, NEVER), at) for at, pair in enumerate(pairwise(parts)))
            if rank == NEVER:
                break
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        for part in parts:
            known = self._ids.get(part)
            if known is not None:
                yield known
            else:
                yield from (self._ids[f"<0x{byte:02X}>"] for byte in part.encode("utf-8", "surrogatepass"))


def installed() -> Path:
    """Where the package's files are. Raises NoWeightsError."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise NoWeightsError(f"the package {PACKAGE} is not installed: pip install 'fastgate[semantic]'")
    return Path(spec.submodule_search_locations[0])


def read_table(path: Path) -> Any:
    """The one matrix of a safetensors file: the length of a JSON header, the header, the numbers."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        head = json.loads(file.read(size))[TABLE]
    if head["dtype"] != "F16":
        raise ValueError(f"numbers of type {head['dtype']} are not expected")
    start = 8 + size + int(head["data_offsets"][0])
    return np.memmap(path, dtype=np.float16, mode="r", offset=start, shape=tuple(head["shape"]))
