"""What a text must hold for a pattern to match: short windows, of which every match has one. For the prefilter.

A window is up to eight classes of bytes, one after the other. A pattern is read by Python's own parser of regular
expressions and cut where that gives the rarest windows: `(?:api|access)_key\\s*=` becomes `api_key`, and `ccess_ke`.
Whatever a match needs beyond that, before, behind or at its edges, is not looked at, so that text without any window
has no match, and text with one may have none. A pattern that cannot be read so has no windows, and its text is always
scanned.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib import import_module
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from fastgate._core.prefilter import GRAM_BYTES, GRAM_WAYS, NEAR_BYTES, WINDOW_MAX, Prefilter
from fastgate.guards import frequency as frequencies
from fastgate.guards.frequency import ALL, Window, frequency

if TYPE_CHECKING:
    from fastgate.guards.rule import Rule

# Python's own; without stubs.
parser: Any = import_module("re._parser")
code: Any = import_module("re._constants")

WINDOW_BYTES = WINDOW_MAX
"""Longer ones tell little more: text with eight bytes of a phrase mostly has the phrase."""


WAYS_MAX = 256
"""Windows of one place in a pattern; beyond that another place is cheaper to look for."""

WINDOWS_MAX = 65_535
"""Of all rules: what fastgate._core.prefilter counts to; those that are shipped have ten times less."""

VARIANTS_MAX = 4
"""Of something that may be there several times: written out up to so many lengths, else the text around it is apart."""

RARE = 1e-9
"""A cut whose windows stand in a text so seldom, a byte of it, is taken without looking for a better one."""


class Apart(NamedTuple):
    """Of an element: what is before and behind it may not stand side by side."""


class Choice(NamedTuple):
    """Of an element: one of several sequences, some of which cannot be written out."""

    ways: list[list[Element]]


Element = list[Window] | Apart | Choice
"""A piece of a pattern: every way to write it, where these are few."""

APART = Apart()


class Cut(NamedTuple):
    """Windows of which every match has one, and how often a byte of text begins one."""

    often: float
    windows: frozenset[Window]


class UnknownSyntaxError(ValueError):
    """Something in a pattern that this module does not know."""


def class_of(given: Iterable[int]) -> int:
    found = 0
    for byte in given:
        found |= 1 << byte
    return found


DIGITS = class_of(b"0123456789")
SPACES = class_of(b" \t\n\r\f\v")
WORDS = class_of(byte for byte in range(128) if chr(byte).isalnum()) | 1 << ord("_")
# The one or the other engine counts a vertical tab among blanks: it is in every class that may have it.
CATEGORIES = {
    code.CATEGORY_DIGIT: DIGITS,
    code.CATEGORY_SPACE: SPACES,
    code.CATEGORY_WORD: WORDS,
    code.CATEGORY_NOT_DIGIT: ALL & ~DIGITS,
    code.CATEGORY_NOT_SPACE: ALL & ~SPACES | 1 << ord("\v"),
    code.CATEGORY_NOT_WORD: ALL & ~WORDS,
}

ELSEWHERE = re.compile(r"\[([:.=])\^?[a-z]*\1\]|\{,|(?<!\\)(?:\\\\)*\\[vhVHRXQE]")
"""What Hyperscan reads in another way than Python: `[:alpha:]`, `{,3}`, `\\v`."""


def windows_of(rule: Rule) -> frozenset[Window] | None:
    """The windows of a rule's pattern; None where there is no telling."""
    if ELSEWHERE.search(rule.pattern):
        return None
    flags = re.IGNORECASE if rule.caseless else 0
    try:
        tree = parser.parse(rule.pattern.encode(), flags)
        cut = cut_of(elements(tree, tree.state.flags))
    except (UnknownSyntaxError, re.error):
        return None
    return None if cut is None else cut.windows


# -- a pattern as elements ------------------------------------------------------------------------------------------


def elements(tree: Iterable[tuple[Any, Any]], flags: int) -> list[Element]:
    """The pieces of a pattern in their order. What has no width is left out."""
    found: list[Element] = []
    for kind, said in tree:
        if kind is code.AT:
            continue
        if kind is code.SUBPATTERN:
            _, added, removed, inner = said
            found += elements(inner, (flags | added) & ~removed)
        elif kind is code.BRANCH:
            found.append(choice([elements(way, flags) for way in said[1]]))
        elif kind in (code.MAX_REPEAT, code.MIN_REPEAT):
            least, most, inner = said
            found += repeated(elements(inner, flags), least, most)
        else:
            found.append([(one_byte(kind, said, flags),)])
    return found


def one_byte(kind: Any, said: Any, flags: int) -> int:
    """The class of a piece that stands for one byte."""
    found = 0
    if kind is code.LITERAL:
        found |= 1 << int(said)
        return folded(found) if flags & re.IGNORECASE else found
    if kind is code.NOT_LITERAL:
        return ALL & ~(1 << int(said))
    if kind is code.ANY:
        return ALL
    if kind is not code.IN:
        raise UnknownSyntaxError(str(kind))
    negated = False
    for item, value in said:
        if item is code.NEGATE:
            negated = True
        elif item is code.LITERAL:
            found |= 1 << value
        elif item is code.RANGE:
            found |= (1 << value[1] + 1) - (1 << value[0])
        elif item is code.CATEGORY:
            found |= CATEGORIES[value] & ~(1 << ord("\v")) if negated else CATEGORIES[value]
        else:
            raise UnknownSyntaxError(str(item))
    if negated:
        return ALL & ~found
    return folded(found) if flags & re.IGNORECASE else found


def folded(given: int) -> int:
    """The class with each letter in both cases."""
    for upper in range(ord("A"), ord("Z") + 1):
        both = 1 << upper | 1 << upper + 32
        if given & both:
            given |= both
    return given


def choice(ways: list[list[Element]]) -> Element:
    """Alternatives: written out where they are few."""
    every: list[Window] = []
    for way in ways:
        written = written_out(way, WAYS_MAX - len(every))
        if written is None:
            return Choice(ways)
        every += written
    return list(dict.fromkeys(every))


def repeated(inner: list[Element], least: int, most: int) -> list[Element]:
    """Something that is there `least` to `most` times."""
    written = written_out(inner, WAYS_MAX)
    if written is not None and most - least < VARIANTS_MAX and len(written) ** most <= WAYS_MAX:
        counts = range(least, most + 1)
        every = [way for n in counts for way in written_out([written] * n, WAYS_MAX) or ()]
        if len(every) <= WAYS_MAX and max(map(len, every), default=0) <= 2 * WINDOW_BYTES:
            return [list(dict.fromkeys(every))]
    if not least:
        return [APART]
    some = inner * min(least, WINDOW_BYTES)
    return [*some, APART, *some] if least < most or least > WINDOW_BYTES else some


def written_out(pieces: Sequence[Element], limit: int) -> list[Window] | None:
    """Every way to write a sequence; None for more than `limit`, or where that is not known."""
    every: list[Window] = [()]
    for piece in pieces:
        if not isinstance(piece, list):
            return None
        if len(every) * len(piece) > limit:
            return None
        every = [way + more for way in every for more in piece]
    return every


# -- where to cut it ------------------------------------------------------------------------------------------------


def cut_of(pieces: list[Element]) -> Cut | None:
    """The rarest windows of which every match of the sequence has one."""
    best: Cut | None = None
    for at, piece in enumerate(pieces):
        if isinstance(piece, Apart):
            continue
        cut = cut_choice(pieces, at) if isinstance(piece, Choice) else cut_run(pieces, at, best)
        if cut is not None and (best is None or cut.often < best.often):
            best = cut
            if best.often < RARE:
                break
    return best


def cut_choice(pieces: list[Element], at: int) -> Cut | None:
    """Each alternative with what stands beside it, cut by itself."""
    piece = pieces[at]
    assert isinstance(piece, Choice)
    first, last = at, at + 1
    while first and isinstance(pieces[first - 1], list):
        first -= 1
    while last < len(pieces) and isinstance(pieces[last], list):
        last += 1
    windows: set[Window] = set()
    for way in piece.ways:
        cut = cut_of([*pieces[first:at], *way, *pieces[at + 1 : last]])
        if cut is None:
            return None
        windows |= cut.windows
    return Cut(sum(map(frequency, windows)), frozenset(windows))


def cut_run(pieces: list[Element], at: int, best: Cut | None) -> Cut | None:
    """The best of the windows that begin with the piece at `at`."""
    every: list[Window] = [()]
    for piece in pieces[at:]:
        if not isinstance(piece, list) or len(every) * len(piece) > WAYS_MAX:
            break
        every = list(dict.fromkeys(way + more for way in every for more in piece))
        shortest = min(map(len, every))
        if shortest:
            windows = frozenset(map(rarest, every))
            often = sum(map(frequency, windows))
            if best is None or often < best.often:
                best = Cut(often, windows)
        if shortest > WINDOW_BYTES or (best is not None and best.often < RARE):
            break
    return best


@lru_cache(maxsize=65_536)
def rarest(way: Window) -> Window:
    """The window of a sequence that a text has most seldom."""
    if len(way) <= WINDOW_BYTES:
        return way
    return min((way[at : at + WINDOW_BYTES] for at in range(len(way) - WINDOW_BYTES + 1)), key=frequency)


def gram_of(window: Window) -> int:
    """Where the bytes of a window begin that are looked for first: the four that a text has most seldom, among those
    that can be written in a few ways, else three."""
    grams = [at for at in range(len(window) - GRAM_BYTES + 1) if ways_of(window[at : at + GRAM_BYTES]) <= GRAM_WAYS]
    if grams:
        return min(grams, key=lambda at: frequency(window[at : at + GRAM_BYTES]))
    return min(range(max(1, len(window) - NEAR_BYTES + 1)), key=lambda at: frequency(window[at : at + NEAR_BYTES]))


def ways_of(window: Window) -> int:
    return prod(map(spellings_of, window))


@lru_cache(maxsize=4096)
def spellings_of(given: int) -> int:
    """Bytes of a class, letters in one case (fastgate._core.prefilter)."""
    return len({byte | 0x20 for byte in range(256) if given >> byte & 1})


# -- all of many rules ----------------------------------------------------------------------------------------------


class Plan(msgspec.Struct, frozen=True):
    """The windows of some rules, as they are kept on disk."""

    classes: tuple[bytes, ...]
    """32 bytes each: bit b % 8 of byte b // 8 for byte b."""
    windows: tuple[tuple[int, ...], ...]
    """Where the gram of each begins, and the class of each of its bytes, an index."""


MAYBE: Any = Plan | None
"""What may be kept of some rules, as a decoder is told it."""


def plan_of(rules: Iterable[Rule]) -> Plan | None:
    """What to look for in place of all patterns; None where a rule is among them that has no windows, or too many."""
    windows: set[Window] = set()
    for rule in rules:
        found = windows_of(rule)
        if found is None:
            return None
        windows |= found
    classes = sorted({given for window in windows for given in window})
    if len(windows) > WINDOWS_MAX or len(classes) > WINDOWS_MAX:
        return None
    numbers = {given: number for number, given in enumerate(classes)}
    planned = sorted((gram_of(window), *(numbers[given] for given in window)) for window in windows)
    rarest.cache_clear()  # some 20 MB, of no use until rules change
    frequency.cache_clear()
    return Plan(tuple(given.to_bytes(32, "little") for given in classes), tuple(planned))


def prefilter_of(plan: Plan | None) -> Prefilter | None:
    """ValueError for a plan with too many windows or classes."""
    if plan is None:
        return None
    classes = plan.classes
    return Prefilter.of([(at, *[classes[number] for number in window]) for at, *window in plan.windows])


def digest() -> bytes:
    """What tells plans apart that this module made from those of another version of it, of the prefilter, or of Python,
    whose parser it uses."""
    about = (WINDOW_MAX, GRAM_BYTES, GRAM_WAYS, NEAR_BYTES, sys.version_info[:3])
    return Path(__file__).read_bytes() + Path(frequencies.__file__).read_bytes() + repr(about).encode()
