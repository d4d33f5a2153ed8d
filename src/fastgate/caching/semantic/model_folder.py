"""A model in files: which they are, how its maker says it is used, and a fingerprint of all that. Loads none of it.

model.onnx, or onnx/model.onnx     the graph; another name where the path is the file's own
tokenizer.json                     how texts become tokens, as the library `tokenizers` writes it
modules.json, 1_Pooling/config.json, sentence_bert_config.json, config_sentence_transformers.json
                                   what sentence-transformers keeps beside a model, each where it is there
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

GRAPHS = ("model.onnx", "onnx/model.onnx")
TOKENIZER = "tokenizer.json"

TOKENS_MAX = 512
"""Of a text where nothing beside the model says less: the positions of BERT and its kin."""

POOLINGS = {"mean_tokens": "mean", "mean": "mean", "cls_token": "cls", "cls": "cls", "max_tokens": "max", "max": "max",
            "mean_sqrt_len_tokens": "mean"}  # fmt: skip
"""sentence-transformers' names of what makes one vector of a text's tokens. The last differs from the mean in length
alone, and every vector gets length 1 here."""

MODULES = frozenset({"Transformer", "Pooling", "Normalize"})
"""Steps of a sentence-transformers model that are done here; any other would have to be part of the graph."""

FINGERPRINT_CHARS = 32
"""128 bits of SHA-256."""


class ModelError(Exception):
    """A model that cannot be used; the message says why."""


class Usage(NamedTuple):
    """How a text becomes a vector: `pooling` is mean, cls or max; `prompt` stands before every text."""

    pooling: str = "mean"
    tokens_max: int = TOKENS_MAX
    lower: bool = False
    prompt: str = ""


class ModelFolder:
    """The files of one model. Raises ModelError where one is missing or is not understood."""

    def __init__(self, path: str) -> None:
        self.graph, self.tokenizer = places_of(Path(path))
        self.usage = usage_of(self.tokenizer.parent)

    def read(self) -> tuple[bytes, bytes]:
        """Graph and tokenizer. Raises ModelError."""
        try:
            return self.graph.read_bytes(), self.tokenizer.read_bytes()
        except OSError as error:
            raise ModelError(f"{error.filename} cannot be read: {error.strerror}") from None

    @property
    def identity(self) -> str:
        """Of what the files hold now. Raises ModelError."""
        digests = []
        for path in (self.graph, self.tokenizer):
            try:
                seen = path.stat()
                digests.append(digest_of(path, seen.st_ino, seen.st_size, seen.st_mtime_ns))
            except OSError as error:
                raise ModelError(f"{path} cannot be read: {error.strerror}") from None
        return identity_of(self.usage, *digests)


def identity_of(usage: Usage, graph: bytes, tokenizer: bytes) -> str:
    """Another name for other weights, another tokenizer (of both the SHA-256) or another use: their vectors are not
    comparable."""
    return f"onnx:{hashlib.sha256(repr(usage).encode() + graph + tokenizer).hexdigest()[:FINGERPRINT_CHARS]}"


def places_of(path: Path) -> tuple[Path, Path]:
    """The graph and the tokenizer."""
    if path.is_dir():
        found = [path / name for name in GRAPHS if (path / name).is_file()]
        if not found:
            raise ModelError(f"there is no {' nor '.join(GRAPHS)} in {path}")
        graph, folders = found[0], [path]
    elif path.is_file():
        graph, folders = path, [path.parent, path.parent.parent]
    else:
        raise ModelError(f"there is no {path}")
    for folder in folders:
        if (folder / TOKENIZER).is_file():
            return graph, folder / TOKENIZER
    raise ModelError(f"there is no {TOKENIZER} in {folders[0]}")


@lru_cache(8)
def digest_of(path: Path, inode: int, size: int, written_ns: int) -> bytes:
    """SHA-256 of a file; what else is given tells one that was replaced. A second for each gigabyte, once."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def usage_of(folder: Path) -> Usage:
    modules = read(folder / "modules.json", [])
    kinds = [str(each.get("type", "")).rpartition(".")[2] for each in modules if isinstance(each, dict)]
    for kind in kinds:
        if kind not in MODULES:
            raise ModelError(f"{folder / 'modules.json'}: a module {kind} is not known here; export it into the graph")
    pooling = folder / "1_Pooling" / "config.json"
    lengths = read(folder / "sentence_bert_config.json", {})
    tokens_max = lengths.get("max_seq_length") or tokens_of(folder / TOKENIZER)
    if not isinstance(tokens_max, int) or not 2 < tokens_max <= 1 << 20:
        raise ModelError(f"{folder / 'sentence_bert_config.json'}: max_seq_length: {tokens_max} is no length")
    prompt = prompt_of(folder / "config_sentence_transformers.json")
    told = read(pooling, {})
    if prompt and not told.get("include_prompt", True):
        raise ModelError(f"{pooling}: a prompt that is left out of the vector is not possible here")
    return Usage(pooling_of(told, pooling), tokens_max, bool(lengths.get("do_lower_case")), prompt)


def tokens_of(path: Path) -> Any:
    return within(read(path, {}), "truncation", path).get("max_length") or TOKENS_MAX


def prompt_of(path: Path) -> str:
    told = read(path, {})
    name = told.get("default_prompt_name") or ""
    prompt = within(told, "prompts", path).get(name, "") if isinstance(name, str) else None
    if not isinstance(prompt, str):
        raise ModelError(f"{path}: the default prompt is no text")
    return prompt


def within(told: dict[str, Any], name: str, where: Path) -> dict[str, Any]:
    """An object in a file's object; an empty one where it is not there."""
    found = told.get(name) or {}
    if not isinstance(found, dict):
        raise ModelError(f"{where}: {name} is no object")
    return found


def pooling_of(told: dict[str, Any], where: Path) -> str:
    """The one way that the file names; the mean where it names none."""
    named = [name.removeprefix("pooling_mode_") for name, on in told.items() if name.startswith("pooling_mode_") and on]
    if isinstance(told.get("pooling_mode"), str):
        named.append(told["pooling_mode"])
    ways = {POOLINGS.get(name) for name in named}
    if None in ways or len(ways) > 1:
        raise ModelError(f"{where}: pooling by {' and '.join(named)} is not possible: one of mean, cls and max")
    return ways.pop() or "mean" if ways else "mean"


def read(path: Path, absent: Any) -> Any:
    """A JSON file of the same type as `absent`, which stands for one that is not there."""
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return absent
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}") from None
    if not isinstance(found, type(absent)):
        raise ModelError(f"{path} is not what sentence-transformers writes")
    return found
