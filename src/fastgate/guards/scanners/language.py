"""The language of what is written: by script, and by the short words that every sentence of a language has."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from fastgate.guards.rule import Block, Kind, Place, Rule, Scanner
from fastgate.guards.scanners._formats import words

WRITTEN: frozenset[Kind] = frozenset({"user_text", "answer_text", "document"})

SHORT_WORDS: dict[str, frozenset[str]] = {
    "en": frozenset(
        words("the and of to in is that it you for with are this be have from not was on as at but we they")
    ),
    "de": frozenset(
        words("der die das und ist nicht ein eine zu mit den von auf für dem im sich auch es ich sie wir werden")
    ),
    "fr": frozenset(
        words("le la les et des est une un dans que pour pas sur avec qui vous nous au du ce sont je il ne")
    ),
    "es": frozenset(words("el la los las de que y en un una es por con no se para lo como más pero su al este esta")),
    "it": frozenset(
        words("il la le di che e un una per non con sono del della si più come ma questo gli nel anche ho")
    ),
    "pt": frozenset(words("o os as de que e um uma do da em não para com se por mais como mas foi dos ao você isso")),
    "nl": frozenset(
        words("de het een en van is niet dat op te zijn met voor ik je aan er om maar ook deze wordt naar")
    ),
    "pl": frozenset(words("i w na nie się że z do jest to jak co po tak za od ale przez dla czy tylko może być")),
    "sv": frozenset(words("och att det som en på är av för med den till inte om har jag ett var men vi kan så")),
    "tr": frozenset(words("ve bir bu da de için ile çok ne ben mi daha gibi olarak var ama kadar sonra değil her")),
    "cs": frozenset(words("a v se na je že o s z to do jsem jako i ale tak po pro by si jsou který nebo")),
}
"""The most frequent words of each language."""

SCRIPTS: tuple[tuple[str, str], ...] = (
    ("ja", r"[\u3040-\u30ff]"),
    ("ko", r"[\uac00-\ud7af]"),
    ("zh", r"[\u4e00-\u9fff]"),
    ("ru", r"[\u0400-\u04ff]"),
    ("ar", r"[\u0600-\u06ff]"),
    ("he", r"[\u0590-\u05ff]"),
    ("el", r"[\u0370-\u03ff]"),
    ("th", r"[\u0e00-\u0e7f]"),
    ("hi", r"[\u0900-\u097f]"),
)
"""Scripts in the order in which they decide: Japanese has Chinese signs too."""

LOOKED_AT = 4_096
"""Bytes of a block: a language shows in its first paragraph."""
MIN_WORDS = 8
MIN_SIGNS = 12
MIN_DISTINCT = 3
"""Different short words: `for` and `in` alone are code."""
_WORD = re.compile(r"[^\W\d_]+")
_COMPILED = tuple((code, re.compile(pattern)) for code, pattern in SCRIPTS)


def detect(text: str) -> str:
    """The language's code (ISO 639-1), "" where there is too little prose to tell: code has no short words."""
    letters = sum(sign.isalpha() for sign in text)
    for code, pattern in _COMPILED:
        found = len(pattern.findall(text))
        if found >= MIN_SIGNS and found > (0.1 if code == "ja" else 0.3) * letters:
            return code
    found_words = [word.lower() for word in _WORD.findall(text)]
    if len(found_words) < MIN_WORDS:
        return ""
    scores = {
        code: sum(word in short for word in found_words) / len(found_words) for code, short in SHORT_WORDS.items()
    }
    best = max(scores, key=lambda code: scores[code])
    second = max(score for code, score in scores.items() if code != best)
    distinct = len(SHORT_WORDS[best].intersection(found_words))
    return best if distinct >= MIN_DISTINCT and scores[best] > 0.15 and scores[best] > 1.2 * second else ""


class Language(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the scanner `language`."""

    allow: tuple[str, ...] = ()
    """Codes of the languages that may be written (ISO 639-1): en, de, fr, es, it, pt, nl, pl, sv, tr, cs, ja, ko, zh,
    ru, ar, he, el, th, hi; empty: any."""


SENTENCES = {
    "de": "Das ist ein Satz, der auf Deutsch geschrieben ist und nicht mehr als eine Zeile hat.",
    "en": "This is a sentence that is written in English and it has not more than one line for you.",
}


def make(settings: Language) -> tuple[Rule, ...]:
    """One rule; none where every language may be written. ValueError for a code that cannot be told."""
    known = {*SHORT_WORDS, *(code for code, _ in SCRIPTS)}
    if unknown := sorted(set(settings.allow) - known):
        raise ValueError(f"language: {unknown[0]!r} cannot be told; {', '.join(sorted(known))} can")
    if not settings.allow:
        return ()

    def look(block: Block) -> Iterator[Place]:
        head = block.text[:LOOKED_AT]
        code = detect(head.decode("utf-8", "ignore"))
        if code and code not in settings.allow:
            yield 0, len(head)

    sample = SENTENCES["de" if "de" not in settings.allow else "en"] if not {"de", "en"} <= set(settings.allow) else (
        "Ceci est une phrase qui est dans une langue que les gens ne lisent pas dans ce pays avec nous."
    )  # fmt: skip
    return (
        Rule(
            id="language",
            title="a text in a language that may not be used",
            look=look,
            kinds=WRITTEN,
            severity="medium",
            samples=(sample,),
            clean=("def main():\n    return parse(sys.argv)",),
        ),
    )


SCANNER = Scanner(name="language", title="Languages that may be written", settings=Language, make=make)
