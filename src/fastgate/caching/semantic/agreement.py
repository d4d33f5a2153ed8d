"""Whether two texts ask for the same, as far as their words can say: the guard without which no near text is a hit.

No vector tells a rewording from its opposite: "raise it from 10 to 20" and "from 20 to 10" are the same bag of words.
So names, numbers and denials must be the same in the same order, every other word that says something must stand in
both texts, itself or as a synonym that is not its opposite, and all of them in one order: "delete a.py and keep b.py"
and "keep a.py and delete b.py" have nothing else to tell them apart. What cannot be told is no agreement.
"""

from __future__ import annotations

from typing import Protocol

from fastgate.caching.semantic import lexicon
from fastgate.caching.semantic.reading import Reading

SYNONYM = 0.5
"""Cosine of two words from which they may stand for one another: remove/delete have 0.68, begin/start 0.82; add/remove
-0.05, json/xml 0.25, chicken/beef 0.14."""

REPLACED_MAX = 12
"""Words of a text that synonyms may stand for; a text that has more of them anew is another text."""


class Vectors(Protocol):
    """What knows how alike two words are."""

    def likeness(self, one: str, other: str) -> float: ...


def disagreement(one: Reading, other: Reading, vectors: Vectors | None) -> str:
    """Why the texts are not the same request; empty when they agree. `vectors` None: lists alone give synonyms."""
    if one.names != other.names:
        return "names"
    if one.places != other.places:
        return "order"
    if one.words == other.words and one.kind == other.kind:
        return ""
    if one.kind != other.kind:
        return "kind"
    if one.past != other.past:
        return "tense"
    return unmatched(one, other, vectors)


def unmatched(one: Reading, other: Reading, vectors: Vectors | None) -> str:
    mine = [root(word) for word in one.words]
    theirs = [root(word) for word in other.words]
    exact = {root(word) for word in one.proper | other.proper}
    where: dict[str, list[int]] = {}
    for n in reversed(range(len(theirs))):
        where.setdefault(theirs[n], []).append(n)
    places = [where[word].pop() if where.get(word) else -1 for word in mine]
    free = sorted(n for left in where.values() for n in left)
    if len(free) != places.count(-1) or len(free) > REPLACED_MAX:
        return "words"
    for n, word in enumerate(mine):
        if places[n] < 0:
            place = next((m for m in free if may_stand_for(word, theirs[m], exact, vectors)), -1)
            if place < 0:
                return "words"
            places[n] = place
            free.remove(place)
    return "order" if places != sorted(places) else ""


def may_stand_for(one: str, other: str, exact: set[str], vectors: Vectors | None) -> bool:
    """Whether two different words may be the same request's."""
    if one in exact or other in exact or are_opposites(one, other):
        return False
    if any(one in group and other in group for group in ROOTED_SAME):
        return True
    if vectors is None or one in lexicon.EXACT or other in lexicon.EXACT:
        return False
    return vectors.likeness(one, other) >= SYNONYM


def are_opposites(one: str, other: str) -> bool:
    if frozenset((one, other)) in ROOTED_OPPOSITES:
        return True
    short, long = sorted((one, other), key=len)
    return any(long == prefix + short for prefix in lexicon.DENYING_PREFIXES)


def root(word: str) -> str:
    """The word without the endings that grammar gives it, roughly; both texts are cut the same way."""
    for ending, instead, least in (("ies", "y", 5), ("sses", "ss", 6), ("ing", "", 6), ("ed", "", 5), ("s", "", 4)):
        if word.endswith(ending) and len(word) >= least and not word.endswith(("ss", "us", "is")):
            word = word.removesuffix(ending) + instead
            break
    if len(word) > 4 and word[-1] == word[-2] and word[-1] not in "lsze":
        word = word[:-1]
    return word.removesuffix("e") if len(word) > 4 else word


ROOTED_SAME = tuple(frozenset(map(root, group)) for group in lexicon.SAME)
ROOTED_OPPOSITES = frozenset(frozenset(map(root, pair)) for pair in lexicon.OPPOSITES)
