"""Laws of the prefilter: it says of no text that nothing is in it where a scan finds something, and it is exact about
the windows that it is given."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import hyperscan
import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from fastgate._core.prefilter import NEAR_BYTES, WINDOW_MAX, Prefilter
from fastgate.guards import windows
from fastgate.guards.engine import Database, flags_of
from fastgate.guards.rule import Rule, RuleError, load_scanners
from tests.model import prefilter as model

RULES = [rule for scanner in load_scanners().values() for rule in scanner.rules if rule.pattern]
SIGNS = b'abAB01 -_\xc3\n"\\u'
CLASSES = st.sets(st.sampled_from(SIGNS), min_size=1, max_size=4).map(windows.class_of) | st.sampled_from(
    [windows.ALL, windows.WORDS, windows.ALL & ~windows.SPACES]
)
WINDOWS = st.lists(CLASSES, min_size=1, max_size=WINDOW_MAX).map(tuple)
TEXTS = st.lists(st.sampled_from(SIGNS), max_size=40).map(bytes)


def made(given: set[windows.Window]) -> Prefilter:
    return Prefilter.of(
        [(windows.gram_of(window), *[each.to_bytes(32, "little") for each in window]) for window in sorted(given)]
    )


def matches_of(rule: Rule) -> st.SearchStrategy[bytes]:
    """Texts in which the pattern of a rule finds something. A pattern of bytes is read as one of as many signs: the
    generator cannot turn cases in bytes."""
    flags = re.ASCII | re.IGNORECASE * rule.caseless | re.DOTALL * rule.dotall
    pattern = re.compile(rule.pattern.encode().decode("latin-1"), flags)
    signs = st.characters(max_codepoint=255)
    return st.from_regex(pattern, alphabet=signs).map(lambda text: text.encode("latin-1"))


@given(st.sets(WINDOWS, max_size=30), TEXTS)
def test_it_is_exact_about_its_windows(given: set[windows.Window], text: bytes) -> None:
    assert made(given).may_match(text) == model.may_match(sorted(given), text)


@given(st.sets(WINDOWS, min_size=1, max_size=80), st.data())
def test_a_text_around_a_window_is_held(given: set[windows.Window], data: Any) -> None:
    window = data.draw(st.sampled_from(sorted(given)))
    inside = bytes(data.draw(st.sampled_from([c for c in range(256) if each >> c & 1])) for each in window)
    assert made(given).may_match(data.draw(TEXTS) + inside + data.draw(TEXTS))


# Every construct of pattern, and what the parser makes of it: groups, cases, counts, classes, edges.
PIECES = st.sampled_from(
    ["a", "key", "[ab]", "[^a\\n]", "\\d", "\\s", "\\S", "\\w", "\\W", ".", "(?i:api)", "(?:ab|b1|)",
     "(?:a|b[0-9]{1,9})", "[a-b]{3}", "a{2,5}", "\\s{0,3}", "(?:ab){2}", "(?:a1|b){1,20}",
     "a?", "\\b", "(?:ab?|-)?", "0{9}", "[A-B_]{2,}"]
)  # fmt: skip
PATTERNS = st.lists(PIECES, min_size=1, max_size=6).map("".join)


@settings(max_examples=60, deadline=None)
@given(PATTERNS, st.booleans(), st.booleans(), st.data())
@example("a{2,5}key", True, False, None)
def test_what_a_pattern_finds_it_lets_through(pattern: str, caseless: bool, dotall: bool, data: Any) -> None:
    rule = Rule(id="r", title="t", pattern=pattern, caseless=caseless, dotall=dotall, samples=("x",))
    text = b"xAaKEY" if data is None else data.draw(matches_of(rule) | TEXTS)
    try:
        check([rule], text)
    except RuleError:
        event("no rule: a pattern that finds something in no text, or too much of it")


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(RULES), st.data())
def test_what_a_shipped_rule_finds_it_lets_through(rule: Rule, data: Any) -> None:
    found = windows.windows_of(rule)
    assert found is not None, f"{rule.id}: a pattern that the prefilter cannot tell; all text would be scanned"
    assert made(set(found)).may_match(data.draw(TEXTS) + data.draw(matches_of(rule)))


def check(rules: list[Rule], text: bytes) -> None:
    """That a scan of the text finds nothing, or the prefilter says that it may."""
    database = Database(list(enumerate(rules)), None)
    found: list[int] = []
    database.scan(text, lambda index, *_: found.append(index))
    assert not found or database.may_match(text)


def test_all_shipped_rules_find_their_samples_through_it() -> None:
    plan = windows.plan_of(RULES)
    assert plan is not None
    prefilter = windows.prefilter_of(plan)
    assert prefilter is not None
    for rule in RULES:
        for sample in rule.samples:
            assert prefilter.may_match(sample.encode()), f"{rule.id}: {sample!r}"


@pytest.mark.parametrize("pattern", ["[[:alpha:]]{3}", "a\\v", "ab\\Qc\\E", "x{,3}y", "(?<n>abc)"])
def test_what_the_two_engines_read_differently_is_always_scanned(pattern: str) -> None:
    rule = Rule(id="r", title="t", pattern=pattern, samples=("x",))
    assert windows.windows_of(rule) is None
    assert windows.plan_of([rule]) is None


def test_hyperscan_matches_regardless_of_case_only_in_ascii() -> None:
    """What a caseless class of the windows rests on."""
    rule = Rule(id="r", title="t", pattern="k\u017f", caseless=True, samples=("x",))
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(expressions=[rule.pattern.encode()], ids=[0], elements=1, flags=[flags_of(rule)])
    found: list[int] = []
    database.scan("\u212as ks KS Ks".encode(), match_event_handler=lambda *match: found.append(match[2]))
    assert not found


def test_ordinary_short_text_is_not_scanned() -> None:
    plan = windows.plan_of([rule for rule in RULES if rule.kinds & windows_kinds()])
    assert plan is not None
    prefilter = windows.prefilter_of(plan)
    assert prefilter is not None
    for text in ("say hi", "Rename this function and its tests.", "Why does the second test fail?", "fix the typo"):
        assert not prefilter.may_match(text.encode()), text


def windows_kinds() -> frozenset[str]:
    return frozenset({"user_text"})


@pytest.mark.parametrize(
    ("windows_", "said"),
    [
        ([(0,)], "1 to"),
        ([(0, *[b"\x01" * 32] * (WINDOW_MAX + 1))], "1 to"),
        ([(0, b"x")], "32"),
        ([(NEAR_BYTES, b"\x01" * 32)], "gram"),
    ],
)
def test_what_is_no_window_is_refused(windows_: list[tuple[object, ...]], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Prefilter.of(windows_)


def test_a_damaged_or_older_plan_is_made_again_and_never_used(tmp_path: Path) -> None:
    rules = list(enumerate(RULES[:8]))
    assert Database(rules, tmp_path).prefilter is not None
    (kept,) = tmp_path.glob("*.windows")
    whole = kept.read_bytes()
    for damaged in (b"", whole[:40], whole[:-1], whole[:-1] + bytes([whole[-1] ^ 1]), whole[32:], b"\xc0"):
        kept.write_bytes(damaged)
        prefilter = Database(rules, tmp_path).prefilter
        assert prefilter is not None
        assert all(prefilter.may_match(sample.encode()) for _, rule in rules for sample in rule.samples)
        assert kept.read_bytes() == whole


def test_a_plan_is_of_one_prefilter_and_one_python(monkeypatch: pytest.MonkeyPatch) -> None:
    before = windows.digest()
    monkeypatch.setattr(windows, "GRAM_WAYS", windows.GRAM_WAYS + 1)
    other = windows.digest()
    monkeypatch.setattr(windows.sys, "version_info", (3, 99, 0))
    assert len({before, other, windows.digest()}) == 3
