"""Models in files to test with: the packaged all-MiniLM-L6-v2, and small ones written here as ONNX's own bytes.

ONNX is protocol buffers (onnx/onnx.proto3): a message is fields, each a key (number and type) and a varint or bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from bench.semantic.model import put

FLOAT, INT64 = 1, 7
"""TensorProto.DataType."""

INT, INTS = 2, 7
"""AttributeProto.AttributeType."""

EXTERNAL = 1
"""TensorProto.DataLocation."""

BATCH, LENGTH = "batch", "sequence"

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "cat", "dog", "sat", "on", "mat")


def minilm(folder: Path) -> Path:
    """The packaged all-MiniLM-L6-v2."""
    folder.mkdir(parents=True, exist_ok=True)
    return put(folder)


def write_tokenizer(path: Path, words: Iterable[str] = WORDS) -> Tokenizer:
    """Words as they stand in the vocabulary, between [CLS] and [SEP], cut and filled as a maker might have left it."""
    made = Tokenizer(WordLevel({word: n for n, word in enumerate(words)}, unk_token="[UNK]"))
    made.pre_tokenizer = Whitespace()
    made.post_processor = TemplateProcessing("[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    made.enable_truncation(8)
    made.enable_padding(length=8)
    made.save(str(path))
    return made


def small_model(folder: Path, table: Any, **changes: Any) -> Path:
    """A folder whose model looks its tokens up in a table: a vector a token."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(graph(table, **changes))
    write_tokenizer(folder / "tokenizer.json")
    return folder


def settings(folder: Path, name: str, told: Any) -> None:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(told))


# -- bytes ------------------------------------------------------------------------------------------------------------


def graph(
    table: Any,
    inputs: Iterable[str] = ("input_ids", "attention_mask"),
    output: str = "last_hidden_state",
    shape: Iterable[str | int] | None = None,
    *,
    pools: bool = False,
    beside: str = "",
    length: str | int = LENGTH,
) -> bytes:
    """`output` = Gather(table, input_ids), said to be of the given shape; the mean over the tokens, if it `pools`.
    `beside` names a file that the table is in, instead of the graph; a `length` that is a number is every text's, in
    tokens."""
    table = np.ascontiguousarray(table, np.float32)
    found = "found" if pools else output
    nodes = [text(1, "table") + text(1, "input_ids") + text(2, found) + text(4, "Gather")]
    if pools:
        axes = text(1, "axes") + number(8, 1) + number(20, INTS)
        keep = text(1, "keepdims") + number(3, 0) + number(20, INT)
        nodes += [text(1, found) + text(2, output) + text(4, "ReduceMean") + field(5, axes) + field(5, keep)]
    weights = b"".join(number(1, size) for size in table.shape)
    weights += number(2, FLOAT) + text(8, "table")
    if beside:
        weights += field(13, text(1, "location") + text(2, beside)) + number(14, EXTERNAL)
    else:
        weights += field(9, table.tobytes())
    made = b"".join(field(1, node) for node in nodes) + text(2, "small") + field(5, weights)
    for name in inputs:
        made += field(11, value(name, INT64, (BATCH, length)))
    made += field(12, value(output, FLOAT, shape or (BATCH, LENGTH, table.shape[1])))
    return number(1, 8) + field(7, made) + field(8, text(1, "") + number(2, 17))


def value(name: str, kind: int, shape: Iterable[str | int]) -> bytes:
    """A ValueInfoProto."""
    sizes = b"".join(field(1, number(1, size) if isinstance(size, int) else text(2, size)) for size in shape)
    return text(1, name) + field(2, field(1, number(1, kind) + field(2, sizes)))


def number(key: int, told: int) -> bytes:
    return varint(key << 3) + varint(told)


def text(key: int, told: str) -> bytes:
    return field(key, told.encode())


def field(key: int, told: bytes) -> bytes:
    return varint(key << 3 | 2) + varint(len(told)) + told


def varint(told: int) -> bytes:
    made = b""
    while told >= 0x80:
        made, told = made + bytes([told & 0x7F | 0x80]), told >> 7
    return made + bytes([told])
