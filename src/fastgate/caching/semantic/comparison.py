"""Whether two answers say the same, as far as can be told by looking at them: for shadow mode, which serves neither.

Tools must be called alike, input by input. Texts count as the same when they are near and name mostly the same; a
model words its answer anew each time, so this is a measure, not a proof, and leans to "no".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fastgate.caching.forms import FormError, message_of
from fastgate.caching.semantic.reading import read

if TYPE_CHECKING:
    from fastgate.caching.entry import Entry
    from fastgate.caching.semantic.embedder import StaticEmbedder

NEAR = 0.9
"""Cosine from which two answers' texts may say the same."""

NAMED_ALIKE = 0.5
"""Share of all names in two answers that both must have."""

COMPARED_CHARS = 16_384
"""Of each answer's text."""


def same_answer(one: Entry, other: Entry, local: StaticEmbedder) -> bool:
    try:
        (texts, tools), (other_texts, other_tools) = said(one), said(other)
    except (FormError, msgspec.DecodeError, KeyError, TypeError, AttributeError):
        return False
    if tools != other_tools:
        return False
    if texts == other_texts:
        return True
    a, b = local.vector(texts[:COMPARED_CHARS]), local.vector(other_texts[:COMPARED_CHARS])
    if a is None or b is None or float(a @ b) < NEAR:
        return False
    names, other_names = set(read(texts[:COMPARED_CHARS]).names), set(read(other_texts[:COMPARED_CHARS]).names)
    both = names | other_names
    return not both or len(names & other_names) / len(both) >= NAMED_ALIKE


def said(entry: Entry) -> tuple[str, list[tuple[str, Any]]]:
    """An answer's text, and the tools it calls with their input."""
    body = message_of(entry.body) if entry.head.form == "events" else entry.body
    content = msgspec.json.decode(body)["content"]
    texts = [block["text"] for block in content if block["type"] == "text"]
    return "\n".join(texts), [(block["name"], block["input"]) for block in content if block["type"] == "tool_use"]
