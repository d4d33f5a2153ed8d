"""What PCRE2 finds in the closer look is what re finds, to the byte: for each phrase, in texts made of it."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from re import _constants as sre
from re import _parser as sre_parser
from typing import Any

import pcre2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.guards import fit_indirect
from fastgate.guards import closer
from fastgate.guards.closer import ALL_OF_IT, UNSCANNED, Finding, Found, confirm, crosses, exact_of, in_python
from fastgate.guards.rule import Rule, load_scanners
from fastgate.guards.scanners.custom import Custom, Customs, make

MADE = 40
"""Texts of each phrase: 200 phrases and some 50 microseconds a text."""
RULES = tuple(rule for scanner in load_scanners().values() for rule in scanner.rules if rule.pattern)
PHRASES = tuple(rule for rule in RULES if rule.phrase)
TEXTS = tuple(dict.fromkeys(text.encode() for rule in RULES for text in (*rule.samples, *rule.clean)))
PLANTED = tuple(
    line.encode() for pen in range(fit_indirect.PENS) for line in fit_indirect.lines_of(f"orders-{pen}.txt")
)

BREAKS = (b" ", b"\n", b"\r\n", b"\n     7\t", b"\n# ", b"  ", b"\t", b"\x0b", b"\xc2\xa0", b".", b"\x00", b"\xff")


def spans(search: closer.Search, text: bytes, group: int | str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    return [(match.span(), match.span(group)) for match in search.finditer(text, 0, len(text))]


def alike(rule: Rule, text: bytes) -> None:
    exact = exact_of(rule)
    assert spans(exact.search, text, exact.group) == spans(in_python(rule), text, exact.group), rule.id


@pytest.mark.parametrize("rule", PHRASES, ids=lambda rule: rule.id)
def test_a_rules_own_samples(rule: Rule) -> None:
    texts = [text.encode() for text in (*rule.samples, *rule.clean)]
    alike(
        rule, b"\n\n".join([*texts, *(text.upper() for text in texts), *(text.replace(b" ", b"\n") for text in texts)])
    )


@given(st.sampled_from(PHRASES), st.data())
@pytest.mark.hypothesis
def test_samples_that_were_wrapped_cut_and_mixed(rule: Rule, data: st.DataObject) -> None:
    own = [text.encode() for text in (*rule.samples, *rule.clean)]
    parts = data.draw(
        st.lists(st.one_of(st.sampled_from(own), st.sampled_from(TEXTS), st.sampled_from(PLANTED)), max_size=3)
    )
    text = bytearray(b" ".join([own[0], *parts]))
    for _ in range(data.draw(st.integers(0, 6))):
        place = data.draw(st.integers(0, len(text) - 1))
        if data.draw(st.booleans()):
            blank = text.find(b" ", place)
            if blank >= 0:
                text[blank : blank + 1] = data.draw(st.sampled_from(BREAKS))
        else:
            text[place : place + 1] = data.draw(st.binary(max_size=2))
            if not text:
                text += b" "
    alike(rule, bytes(text))


def written(rng: random.Random, parsed: Iterable[tuple[Any, Any]]) -> bytes:
    """A text that a parsed expression matches, at random: each alternative, and each number of times, has its turn."""
    out = b""
    for op, what in parsed:
        match op:
            case sre.LITERAL:
                out += bytes([what])
            case sre.NOT_LITERAL | sre.ANY:
                out += b" "
            case sre.IN:
                out += bytes([rng.choice(signs(what))])
            case sre.BRANCH:
                out += written(rng, rng.choice(what[1]))
            case sre.SUBPATTERN:
                out += written(rng, what[3])
            case sre.MAX_REPEAT | sre.MIN_REPEAT:
                least, most, inner = what
                times = rng.choice((least, min(most, least + 1), rng.randint(least, min(most, least + 12))))
                out += b"".join(written(rng, inner) for _ in range(times))
            case sre.AT | sre.ASSERT | sre.ASSERT_NOT:
                pass  # what else is written fits or does not: both searches have to say the same
            case _:
                raise NotImplementedError(str(op))
    return out


def signs(expression: Iterable[tuple[Any, Any]]) -> list[int]:
    """Bytes of a class; of one that says what is not in it, some that are not."""
    found: set[int] = set()
    negated = False
    for op, what in expression:
        match op:
            case sre.NEGATE:
                negated = True
            case sre.LITERAL:
                found.add(what)
            case sre.RANGE:
                found.update(range(what[0], what[1] + 1))
            case sre.CATEGORY:
                found.update(CLASSES[what])
    return sorted(set(range(32, 127)) - found) if negated else sorted(found)


CLASSES = {
    sre.CATEGORY_DIGIT: b"0179",
    sre.CATEGORY_NOT_DIGIT: b"aZ_ -",
    sre.CATEGORY_SPACE: b" \t\n\r\x0b",
    sre.CATEGORY_NOT_SPACE: b"aZ0_-",
    sre.CATEGORY_WORD: b"aZ0_",
    sre.CATEGORY_NOT_WORD: b" -.\n\xff",
}


@pytest.mark.parametrize("rule", PHRASES, ids=lambda rule: rule.id)
def test_texts_made_of_the_expression_itself(rule: Rule) -> None:
    """Of each alternative, one behind another and cut: samples alone have one alternative of most."""
    rng = random.Random(rule.id)
    parsed = sre_parser.parse(rule.exact.encode(), in_python(rule).flags)
    for _ in range(MADE):
        first, second = written(rng, parsed), written(rng, parsed)
        alike(rule, first[: rng.randint(1, len(first) + 1)] + rng.choice(BREAKS) + second)


def test_phrases_are_quick() -> None:
    assert [rule.id for rule in PHRASES if isinstance(exact_of(rule).search, re.Pattern)] == []


def test_what_is_no_phrase_is_read_as_python_reads_it() -> None:
    (own,) = make(Customs(rules=(Custom(id="end", pattern="abc", exact=r"abc\Z", sample="abc"),)))
    assert all(isinstance(exact_of(rule).search, re.Pattern) for rule in (own, *RULES) if not rule.phrase)


def test_alternatives_that_begin_alike_are_not_skipped() -> None:
    """PCRE2's compiler found this from the second word on."""
    rule = Rule(id="x", title="x", pattern="=", exact=r"(?:alibaba|aliyun)[\w ]{0,32}=\d", phrase=True, samples=("x",))
    assert spans(exact_of(rule).search, b"aliyun alibaba=1234", 0) == [((0, 16), (0, 16))]


def test_what_takes_too_many_steps_is_told_as_not_scanned() -> None:
    rule = Rule(id="x", title="x", pattern="b", exact=r"(?:a|aa)+c", phrase=True, before=64, samples=("x",))
    exact, text = exact_of(rule), b"a" * 60 + b"b"
    found: Found = {}
    assert confirm(exact, text, len(text), 0, 7, found) == len(text)
    assert found == {Finding(UNSCANNED, 0, len(text)): ALL_OF_IT}
    assert crosses(exact, text, len(text), (0, len(text)))


def test_where_memory_must_not_be_executed_python_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(pattern: bytes, flags: int) -> object:
        raise pcre2.LibraryError(-48)

    monkeypatch.setattr(pcre2, "compile", refused)
    assert isinstance(exact_of(PHRASES[0]).search, re.Pattern)
