"""Rules against a slow reading of what they say; hours and days at their edges; bounded edits as measured."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.edits.measure import score
from bench.edits.prompts import HAND, made
from fastgate.config_rules import minutes_of
from fastgate.routing.bounded import WORDS_MAX, bounded, is_bounded_edit
from fastgate.routing.ladder_rules import STAGES, WEEKDAYS, first_rule, holds, in_time
from fastgate.snapshot import KeyRow, RuleRow
from fastgate.times import NS


@dataclasses.dataclass
class Seen:
    """A sight with answers ready; `asked` notes which were wanted."""

    who: KeyRow
    at_ns: int
    model: str
    request_class: str
    tools: bool
    answers: dict[str, Any]
    asked: list[str] = dataclasses.field(default_factory=list)

    def _say(self, name: str) -> Any:
        self.asked.append(name)
        return self.answers[name]

    def stage(self) -> str:
        return str(self._say("stage"))

    def tokens(self) -> tuple[int, int]:
        whole, new = self._say("tokens")
        return whole, new

    def tool_use(self) -> bool:
        return bool(self._say("tool_use"))

    def bounded_edit(self) -> bool:
        return bool(self._say("bounded_edit"))


few = st.sampled_from(["", "a", "b"])
globs = st.sampled_from(["*", "a", "a*", "?", "b"])
maybe = st.none() | st.booleans()
bounds = st.tuples(st.none() | st.integers(0, 30), st.none() | st.integers(0, 30))
rules = st.builds(
    RuleRow,
    to=st.just("m"),
    stage=st.sampled_from(STAGES),
    input_tokens=bounds,
    new_input_tokens=bounds,
    request_class=st.lists(st.sampled_from(["main", "auxiliary"]), max_size=2).map(tuple),
    model=st.sampled_from(["", "claude-*", "claude-opus"]),
    tools=maybe,
    tool_use=maybe,
    bounded_edit=maybe,
    who=st.dictionaries(st.sampled_from(["org", "team", "user", "key", "cost_center"]), globs, max_size=2),
    tags=st.dictionaries(few, globs, max_size=1),
)
sights = st.builds(
    Seen,
    who=st.builds(
        KeyRow, digest=st.just(b""), key=few, user=few, team=few, org=few, cost_center=few,
        tags=st.dictionaries(few, few), models=st.just(()), not_after_ns=st.just(0),
    ),
    at_ns=st.integers(0, 1 << 62),
    model=st.sampled_from(["claude-opus", "claude-haiku", "gpt"]),
    request_class=st.sampled_from(["", "main", "auxiliary", "compaction"]),
    tools=st.booleans(),
    answers=st.fixed_dictionaries({
        "stage": st.sampled_from(STAGES), "tokens": st.tuples(st.integers(0, 30), st.integers(0, 30)),
        "tool_use": st.booleans(), "bounded_edit": st.booleans(),
    }),
)  # fmt: skip


def slow(rule: RuleRow, seen: Seen) -> bool:
    """What the reference page says, condition by condition."""
    said = seen.answers
    truths = [
        not rule.stage or STAGES.index(said["stage"]) >= STAGES.index(rule.stage),
        not rule.request_class or seen.request_class in rule.request_class,
        not rule.model or fnmatchcase(seen.model, rule.model),
        rule.tools in (None, seen.tools),
        rule.tool_use in (None, said["tool_use"]),
        rule.bounded_edit in (None, said["bounded_edit"]),
        *(fnmatchcase(getattr(seen.who, name), glob) for name, glob in rule.who.items()),
        *(fnmatchcase(seen.who.tags.get(name, ""), glob) for name, glob in rule.tags.items()),
    ]
    for tokens, (above, below) in zip(said["tokens"], (rule.input_tokens, rule.new_input_tokens), strict=True):
        truths += [above is None or tokens > above, below is None or tokens < below]
    return all(truths)


@given(st.lists(rules, max_size=4), sights)
def test_the_first_rule_of_which_all_is_so(drawn: list[RuleRow], seen: Seen) -> None:
    wanted = [slow(rule, seen) for rule in drawn]
    assert [holds(rule, seen) for rule in drawn] == wanted
    assert first_rule(drawn, seen) == (wanted.index(True) if any(wanted) else -1)


@given(rules, sights)
def test_nothing_dear_is_asked_that_no_rule_names(rule: RuleRow, seen: Seen) -> None:
    holds(rule, seen)
    named = {
        "stage": bool(rule.stage),
        "tokens": (rule.input_tokens, rule.new_input_tokens) != ((None, None), (None, None)),
        "tool_use": rule.tool_use is not None,
        "bounded_edit": rule.bounded_edit is not None,
    }
    assert all(named[name] for name in seen.asked)
    assert len(seen.asked) == len(set(seen.asked))


def moment(text: str, tz: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(tz)).timestamp()) * NS


@pytest.mark.parametrize(
    ("hours", "days", "text", "inside"),
    [
        ("09-17", (), "2026-11-27T09:00", True),
        ("09-17", (), "2026-11-27T16:59:59", True),
        ("09-17", (), "2026-11-27T17:00", False),
        ("09-17", ("fri",), "2026-11-27T10:00", True),
        ("09-17", ("sat", "sun"), "2026-11-27T10:00", False),
        ("22:30-06:00", (), "2026-11-27T22:30", True),
        ("22:30-06:00", (), "2026-11-27T05:59", True),
        ("22:30-06:00", (), "2026-11-27T06:00", False),
        ("22:30-06:00", ("fri",), "2026-11-28T05:00", True),  # Friday's night
        ("22:30-06:00", ("sat",), "2026-11-28T05:00", False),
        ("00-24", ("fri",), "2026-11-27T23:59", True),
        (None, ("fri",), "2026-11-27T00:00", True),
    ],
)
def test_hours_and_days(hours: str | None, days: tuple[str, ...], text: str, inside: bool) -> None:
    for tz in ("UTC", "Europe/Berlin", "Asia/Kolkata"):
        rule = RuleRow(to="m", hours=minutes_of(hours) if hours else None, days=days, tz=tz)
        assert in_time(rule, moment(text, tz)) is inside


@given(st.integers(0, 24 * 60 - 1), st.integers(1, 24 * 60), st.integers(0, 1 << 61))
def test_hours_and_their_opposite_make_the_day(begin: int, end: int, at_ns: int) -> None:
    if begin == end or (begin, end) == (0, 24 * 60):
        return
    other = (end % (24 * 60), begin or 24 * 60)
    assert in_time(RuleRow("m", hours=(begin, end)), at_ns) is not in_time(RuleRow("m", hours=other), at_ns)
    assert sum(in_time(RuleRow("m", days=(day,)), at_ns) for day in WEEKDAYS) == 1


@pytest.mark.parametrize("text", ["9-5pm", "09", "25-26", "09-09", "09:60-10", "-", ""])
def test_hours_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ValueError, match=r"written like|24:00|same time"):
        minutes_of(text)


def test_bounded_edits_are_told_as_well_as_the_page_says() -> None:
    held_out, fitted = score(HAND), score(made())
    assert (held_out.precision, held_out.recall) == (28 / 30, 28 / 32)
    assert fitted.precision == 1.0 and fitted.recall > 0.85


def user(content: object) -> dict[str, object]:
    return {"role": "user", "content": content}


def test_the_last_words_of_the_user_count() -> None:
    edit = "rename `fetchUser` to `loadUser` in src/api/user.ts"
    aside = "<system-reminder>why? explain everything</system-reminder>"
    said = user([{"type": "text", "text": aside}, {"type": "text", "text": edit}])
    done = {"role": "assistant", "content": "ok"}
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "refactor all of it"}]}
    for messages, wanted in (
        ([user(edit)], True),
        ([user("explain"), done, said], True),
        ([said, done, result], True),
        ([user(edit), done, user("now why?")], False),
        ([], False),
        ([user(7)], False),
    ):
        assert is_bounded_edit(json.dumps({"messages": messages}).encode()) is wanted
    assert not bounded(edit + " please" * WORDS_MAX)
