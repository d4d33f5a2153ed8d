"""What fastgate._core.wording shall find, slowly: words by a regular expression, windows as sets."""

from __future__ import annotations

import re
from itertools import pairwise
from math import sqrt

WORD = re.compile(rb"[A-Za-z]+(?:(?:'|\xe2\x80\x99)[A-Za-z]+)*")
SENTENCE_END = re.compile(rb"[.!?](?=[ \t-\r])|\n(?=[\r\n])")


Signs = dict[bytes, bytes]


def tokens(text: bytes, signs: Signs) -> list[tuple[int, bytes, bool]]:
    """Words and the names of signs, with where they begin and whether they are signs; of a run the first sign."""
    words = {word.start(): word for word in WORD.finditer(text)}
    found: list[tuple[int, bytes, bool]] = []
    place = 0
    while place < len(text):
        if word := words.get(place):
            found.append((place, word[0].lower().replace(b"\xe2\x80\x99", b"'"), False))
            place = word.end()
            continue
        name = signs.get(text[place : place + 1])
        if name and not (found and found[-1][1] == name):
            found.append((place, name, True))
        place += 1
    return found


def segments(text: bytes, size: int, senses: dict[bytes, bytes], signs: Signs) -> dict[int, set[bytes]]:
    """Words, senses, signs and pairs of each segment that has any, by its number; a pair belongs where it ends."""
    words = [(word.start() // size, word[0].lower().replace(b"\xe2\x80\x99", b"'")) for word in WORD.finditer(text)]
    found: dict[int, set[bytes]] = {}
    for segment, word in words:
        found.setdefault(segment, set()).add(word)
    for (_, first), (segment, second) in pairwise(words):
        found[segment].add(first + b" " + second)
        if first in senses:
            found[segment].add(senses[first] + b" " + second)
        if second in senses:
            found[segment].add(first + b" " + senses[second])
    both = tokens(text, signs)
    for place, token, is_sign in both:
        if is_sign:
            found.setdefault(place // size, set()).add(token)
    for (_, first, one), (place, second, other) in pairwise(both):
        if one or other:
            found[place // size].add(first + b" " + second)
    ends = [end.start() for end in SENTENCE_END.finditer(text)]
    sensed = [
        (word.start(), senses[plain])
        for word in WORD.finditer(text)
        if (plain := word[0].lower().replace(b"\xe2\x80\x99", b"'")) in senses
    ]
    for start, sense in sensed:
        found[start // size].add(sense)
    for (before, first), (start, second) in pairwise(sensed):
        if not any(before < end < start for end in ends):
            found[start // size].add(first + b" " + second)
    return found


def scores(
    text: bytes,
    size: int,
    least: int,
    weights: dict[bytes, float],
    bias: float,
    damping: float,
    senses: dict[bytes, bytes],
    signs: Signs,
) -> list[float]:
    """The score of every window that has one."""
    found = segments(text, size, senses, signs)
    windows = [found[number] | found.get(number - 1, set()) for number in sorted(found)]
    each = [[weights[term] for term in window if term in weights] for window in windows]
    return [bias + sum(hit) / sqrt(len(hit) + damping) for hit in each if len(hit) >= least]
