"""Rules that decide whether the second request gets the first one's answer: fastgate's, on its own path, and those of
others by what their documentation says they compare, at which similarity.

All compare with the same embedding, so that the rule is measured and not the model; where a rule needs another one
(n-grams), it has it. Theirs are asked about each pair alone; ours finds among all first requests at once, in one index,
with tool results and any number of turns allowed, so that nothing is right only because it is never asked.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.semantic.pair import Ask, Pair, said, told
from fastgate._core.digest import read_canonical
from fastgate._core.request import read_request
from fastgate.caching.semantic.agreement import disagreement
from fastgate.caching.semantic.embedder import StaticEmbedder
from fastgate.caching.semantic.note import Note
from fastgate.caching.semantic.notes import Notes
from fastgate.caching.semantic.settings import SemanticCache, compiled
from fastgate.caching.semantic.spoken import Asker, Spoken, spoken_of
from fastgate.snapshot import KeyRow

if TYPE_CHECKING:
    from fastgate.caching.semantic.embedder_onnx import Model

Rule = Callable[[Pair], bool]

STATIC = StaticEmbedder()
"""Its words are compared whatever embeds texts."""


class Embedding:
    """Vectors of texts, each made once."""

    def __init__(self, embedder: StaticEmbedder | Model) -> None:
        self.identity, self.dim = embedder.identity, embedder.dim
        self.vector = lru_cache(65_536)(embedder.vector)

    def __call__(self, text: str) -> Any:
        found = self.vector(text)
        return np.zeros(self.dim, np.float32) if found is None else found


EMBEDDER = Embedding(STATIC)

WHO = KeyRow(b"", "key", "user", "team", "org", "", {}, (), 0)

FAR = 1 << 62

GRAM_DIM = 512


@lru_cache(65_536)
def grams(text: str) -> Any:
    """Hashed character 3- and 4-grams, as an embedding."""
    made, padded = np.zeros(GRAM_DIM, np.float32), f" {text.lower()} "
    for n in (3, 4):
        for at in range(len(padded) - n + 1):
            made[zlib.crc32(padded[at : at + n].encode()) % GRAM_DIM] += 1
    return made / max(float(np.sqrt(made @ made)), 1e-9)


def last(ask: Ask) -> str:
    return told(ask.messages[-1])


def whole(ask: Ask) -> str:
    return "\n".join(map(told, ask.messages))


def near(text: Callable[[Ask], str], least: float, embed: Callable[[str], Any] = EMBEDDER) -> Rule:
    return lambda pair: float(embed(text(pair.first)) @ embed(text(pair.second))) >= least


def short(messages: int, least: float) -> Rule:
    """Whole text, and no conversation of more messages."""
    rule = near(whole, least)
    return lambda pair: len(pair.second.messages) <= messages and rule(pair)


def recent(ask: Ask) -> str:
    """The last three messages."""
    return "\n".join(map(told, ask.messages[-3:]))


def questions(ask: Ask) -> str:
    """All that the user said: no system prompt, no answers, no results of tools."""
    return "\n".join(text for message in ask.messages if message["role"] == "user" and (text := said(message)))


def polarity(pair: Pair) -> bool:
    """recalq-guard's rules of texts, as the package has them (MIT, Sumedh)."""
    from recalq_guard import is_safe_match

    return bool(is_safe_match(last(pair.second), last(pair.first)))


def same_rest(pair: Pair) -> bool:
    return (pair.first.system, pair.first.tools) == (pair.second.system, pair.second.tools)


PEERS: dict[str, Rule] = {
    "last message, 0.80 (GPTCache's default)": near(last, 0.80),
    "last message, 0.85 (vLLM semantic router)": near(last, 0.85),
    "last message, 0.95": near(last, 0.95),
    "last user message, n-grams, 0.85 (Future AGI)": near(lambda ask: ask.last, 0.85, grams),
    "at most 3 messages, 0.80 (Bifrost, Zuplo)": short(3, 0.80),
    "at most 4 messages, 0.95 (Portkey)": short(4, 0.95),
    "last 3 messages, 0.85 (Kong's cookbook)": near(recent, 0.85),
    "all of the user's texts, 0.90 (LangCache's conversations)": near(questions, 0.90),
    "last message, 0.85, behind recalq-guard": lambda pair: polarity(pair) and near(last, 0.85)(pair),
    "whole text, 0.95": near(whole, 0.95),
    "whole text, 0.95, equal tools and system (LiteLLM)": lambda pair: same_rest(pair) and near(whole, 0.95)(pair),
}


class Fastgate:
    """fastgate's rule at its defaults, over an index that holds the first request of every pair."""

    name = "fastgate"

    def __init__(self, pairs: Iterable[Pair], embedding: Embedding = EMBEDDER, threshold: float | None = None) -> None:
        settings = {"threshold": threshold} if threshold is not None else {}
        policy = compiled(SemanticCache(mode="on", namespace="team", tool_results=True, user_turns=1000, **settings))  # type: ignore[arg-type]
        assert policy is not None
        self.policy = policy
        self.embedding = embedding
        self.notes = Notes(embedding.identity, embedding.dim, FAR, policy.max_wrong)
        self.served: list[tuple[float, bool]] = []
        """Similarity of every answer that was given, and whether it was right."""
        self._means: dict[bytes, str] = {}
        for n, pair in enumerate(pairs):
            spoken = self.question(pair.first)
            if spoken is not None:
                self._means[n.to_bytes(16, "big")] = pair.first.means
                self.notes.take(self.note(n, spoken), 0, spoken.reading, spoken.vector)

    def question(self, ask: Ask) -> Spoken | None:
        body = ask.body()
        asker = Asker(WHO, "", "", "claude-sonnet-5-5")
        spoken = spoken_of(self.policy, "", asker, b"", read_canonical(body), read_request(body))
        if spoken is not None:
            spoken.vector = self.embedding.vector(spoken.text)
        return spoken if spoken is not None and spoken.vector is not None else None

    def note(self, n: int, spoken: Spoken) -> Note:
        assert spoken.vector is not None
        find, half = n.to_bytes(16, "big"), spoken.vector.astype(np.float16).tobytes()
        return Note(
            spoken.scope, spoken.namespace, spoken.partition, spoken.text, self.embedding.identity, half, find, find,
            "org", "team", "user", "key", "", 0, FAR,
        )  # fmt: skip

    def __call__(self, pair: Pair) -> bool:
        """Whether an answer of the pair's kind would be given: of two of one meaning a right one, of two meanings a
        wrong one. An answer of another pair is right where it means the same, and wrong for any other."""
        spoken = self.question(pair.second)
        if spoken is None:
            return False
        for candidate in self.notes.near(spoken):
            if candidate.similarity < spoken.threshold:
                return False
            if not disagreement(spoken.reading, candidate.reading, STATIC.words):
                right = self._means[candidate.note.find] == pair.second.means
                self.served.append((candidate.similarity, right))
                return right == pair.same
        return False
