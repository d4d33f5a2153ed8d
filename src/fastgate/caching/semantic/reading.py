"""What a text names and says, as far as it can be told without understanding it.

Names (code, quotations, paths, identifiers, numbers) and denials are read in order, and are compared letter by letter.
The rest is words; those that say nothing are left out. What the text asks for (how, why, when, do it …) is its kind.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from fastgate.caching.semantic import lexicon

TEXT_CHARS = 2048
"""Longest text that is compared. What is longer holds material, and no rewording of it is one."""

TOKENS = re.compile(
    r"""
      (?P<fence>```.*?(?:```|\Z))
    | (?P<code>`[^`\n]*`)
    | (?P<quoted>"[^"\n]*+"|\u201c[^\u201d\n]{0,400}+\u201d|\u00ab[^\u00bb\n]{0,400}+\u00bb|(?<![\w'])'[^'\n]++'(?!\w))
    | (?P<url>[a-z][a-z0-9+.-]{0,20}://[^\s<>"']++|[\w.+-]{1,64}+@[\w-]++(?:\.[\w-]++)+)
    | (?P<path>(?<!\w)(?:~|\.{1,2})?[/\\][\w.@~*+%-]+(?:[/\\][\w.@~*+%-]*)*
        |[\w.@*+%-]{1,128}+(?:[/\\][\w.@*+%-]++)+|[A-Za-z]:\\[^\s]++)
    | (?P<flag>(?<![\w-])--?[A-Za-z][\w-]*(?:=\S+)?)
    | (?P<number>[$\u20ac\u00a3#]?[+-]?\d[\w.,:%\u00b0-]*)
    | (?P<word>[^\W\d_]++(?:['\u2019][^\W\d_]++)*+(?!\.{0,8}+\w))
    | (?P<name>[@$#]?\w+(?:[.:-]+\w+)*(?:\(\))?)
    | (?P<sign>[<>=!&|*+^%~?\u2192-]+)
    """,
    re.VERBOSE | re.DOTALL,
)
"""A text's parts, the most literal reading first; no repetition is tried twice, so that no text
takes long to read. `name` is what is no plain word: digits, underscores, dots in it."""

SENTENCE_END = re.compile(r"[.!?:;\n]\s*$")

CASED = re.compile(r"[a-z\d][A-Z]")
"""In a word: a capital that no sentence puts there."""

KINDS = (
    ("quantity", re.compile(r"\bhow (?:many|much|long|often|far|old|big|large|fast|soon|late|early|high|tall|deep)\b")),
    ("how", re.compile(r"\bhow\b|\b(?:steps|way|process|procedure|need to do) (?:to|for|of)\b")),
    ("why", re.compile(r"\bwhy\b|\breason\b|\bhow come\b")),
    ("when", re.compile(r"\bwhen(?:'s)?\b|\bwhat (?:time|date|day)\b")),
    ("where", re.compile(r"\bwhere(?:'s)?\b")),
    ("who", re.compile(r"\bwho(?:'s|se|m)?\b")),
    ("what", re.compile(r"\bwhat(?:'s|s)?\b|\bwhich\b")),
)
ASKED = re.compile(
    r"\b(?:(?:is|are|was|were|do|does|did|should|will|has|have|had|am)(?:n't)? (?:i|you|we|they|he|she|it|the|my|your|"
    r"our|this|that|these|those|there|all|any|an?)|(?:can|could|may|would|might) (?:i|we|they|it|the|my|this|that))\b"
)
"""A question that is answered by yes or no; `can you …` is a request to do it."""


class Reading(NamedTuple):
    """`names` in order, `words` in order (lower case), `proper` those of them that stand for one thing alone; `places`:
    how many of the words stand before each name."""

    kind: str
    names: tuple[str, ...]
    words: tuple[str, ...]
    proper: frozenset[str]
    past: bool
    places: tuple[int, ...] = ()


def read(text: str) -> Reading:
    names: list[str] = []
    places: list[int] = []
    said: list[str] = []
    proper: set[str] = set()
    end = 0
    fresh, before = True, ""
    if not any(map(str.islower, text)):
        text = text.lower()
    for found in TOKENS.finditer(text):
        places += [len(said)] * (len(names) - len(places))
        sort, token = found.lastgroup, found[0]
        fresh = fresh or bool(SENTENCE_END.search(text[end : found.start()]))
        end = found.end()
        if sort == "word":
            token = token.replace("\u2019", "'")
            phrase = lexicon.PHRASES.get((before, token.lower()))
            if phrase is not None and said and said[-1] == before:
                said[-1] = phrase
            else:
                fresh = take_word(token, fresh, names, said, proper)
            before = token.lower()
            continue
        before = ""
        fresh = False
        if sort == "sign":
            if token.strip("?!-"):
                names.append(token)
        elif sort == "number":
            names.append(token.rstrip(".,:-").replace(",", "").lower())
        elif sort == "name" and not re.search(r"[\d_.:@$#()]", token) and not CASED.search(token):
            for part in token.split("-"):
                take_word(part, False, names, said, proper)
        else:
            names.append(token.rstrip(".,:;!?") if sort in ("url", "path", "name") else token)
    lowered = text.lower().replace("\u2019", "'")
    past = bool(re.search(r"\b(?:was|were|did|had|yesterday|ago)\b", lowered))
    places += [len(said)] * (len(names) - len(places))
    return Reading(kind_of(lowered), tuple(names), tuple(said), frozenset(proper), past, tuple(places))


def take_word(token: str, fresh: bool, names: list[str], said: list[str], proper: set[str]) -> bool:
    """Sort a plain word in; whether the sentence has still not begun behind it."""
    word = token.lower()
    if word in lexicon.DENIALS:
        names.append("not")
    elif word in lexicon.NUMBERS:
        names.append(lexicon.NUMBERS[word])
    elif CASED.search(token):
        names.append(token)
    elif word not in lexicon.SILENT:
        word = word.removesuffix("'s")
        said.append(word)
        if token[0].isupper() and not fresh:
            proper.add(word)
    return fresh and word in lexicon.GREETED


def kind_of(lowered: str) -> str:
    for kind, sign in KINDS:
        if sign.search(lowered):
            return kind
    return "whether" if "?" in lowered and ASKED.search(lowered) else "do"
