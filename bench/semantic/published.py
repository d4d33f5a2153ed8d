"""The pairs that fow-cache publishes: 600 of single questions, 240 of conversations (CC BY 4.0, Mabon ap Gwyn; labels
written by language models, a sample reviewed by hand). Read from the installed package, not kept here.

The guard's word lists were written with half of the single questions in sight (`dev`, by the CRC of their ids); the
other half and all conversations were not looked at.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.semantic.pair import Ask, Pair, asked


def folder() -> Path:
    spec = find_spec("fow_cache")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("fow-cache is not installed: make install-test")
    return Path(spec.submodule_search_locations[0]) / "data"


def questions() -> Iterator[Pair]:
    rows = [json.loads(line) for line in (folder() / "pairs.jsonl").read_text().splitlines()]
    means = meanings(rows)
    for row in rows:
        half = "held out" if zlib.crc32(row["id"].encode()) & 1 else "seen"
        first, second = (asked(row[side], means=means[row[side].lower()]) for side in ("a", "b"))
        yield Pair(row["category"], first, second, row["same_answer"], {"half": half})


def meanings(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Of every text, in lower case, one that it may share an answer with: pairs share questions."""
    means = {row[side].lower(): row[side].lower() for row in rows for side in ("a", "b")}
    for row in rows:
        if row["same_answer"]:
            one, other = means[row["a"].lower()], means[row["b"].lower()]
            means = {text: one if meant == other else meant for text, meant in means.items()}
    return means


def conversations() -> Iterator[Pair]:
    for path in sorted(folder().glob("conv-*/*.jsonl")):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            other = row["id"] if row["same_answer"] else f"not {row['id']}"
            yield Pair(row["subtype"], Ask(row["a"], means=row["id"]), Ask(row["b"], means=other), row["same_answer"])
