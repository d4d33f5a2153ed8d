"""What PCRE2 finds in the closer look is what re finds, to the byte: for each rule, in texts like its samples."""

from __future__ import annotations

import re

import pcre2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.guards import fit_indirect
from fastgate.guards import closer
from fastgate.guards.closer import Finding, Found, confirm, crosses, exact_of, in_python
from fastgate.guards.rule import Rule, load_scanners
from fastgate.guards.scanners.custom import Custom, Customs, make

RULES = tuple(rule for scanner in load_scanners().values() for rule in scanner.rules if rule.pattern)
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


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rules_own_samples(rule: Rule) -> None:
    texts = [text.encode() for text in (*rule.samples, *rule.clean)]
    alike(
        rule, b"\n\n".join([*texts, *(text.upper() for text in texts), *(text.replace(b" ", b"\n") for text in texts)])
    )


@given(st.sampled_from(RULES), st.data())
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


def test_nearly_all_rules_are_quick() -> None:
    """Those that PCRE2 cannot hold cost ten times as much; what has many candidates must not be among them."""
    slow = {rule.id for rule in RULES if isinstance(exact_of(rule).search, re.Pattern)}
    assert len(slow) < len(RULES) // 50
    assert "indirect-wording" not in slow


def test_an_operators_own_rule_is_read_as_python_reads_it() -> None:
    (rule,) = make(Customs(rules=(Custom(id="end", pattern="abc", exact=r"abc\Z", sample="abc"),)))
    assert isinstance(exact_of(rule).search, re.Pattern)


def test_where_pcre2_gives_up_python_goes_on() -> None:
    rule = Rule(
        id="x", title="x", pattern="xab", exact=r"(?:ya|a)*?(?P<secret>x)ab", before=5_000_000, samples=("xab",)
    )
    exact, text = exact_of(rule), b"a" * 4_000_000 + b"xab"
    with pytest.raises(pcre2.LibraryError):
        exact.search.match(text, 0, len(text))
    found: Found = {}
    assert confirm(exact, text, len(text), 0, 7, found) == len(text)
    assert found == {Finding(7, 4_000_000, 4_000_001): (0, len(text))}
    assert not crosses(exact, text, len(text), (0, len(text))), "all of it stands on one side"
