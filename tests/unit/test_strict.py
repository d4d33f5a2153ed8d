"""Trees to structs: every mistake at once, each with path, line and the nearest known key."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Annotated, ClassVar, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate.refs import Secret
from fastgate.strict import Check, Later, Range, nearest, read
from fastgate.tree import ConfigErrors


class Inner(msgspec.Struct, frozen=True, kw_only=True):
    LATER: ClassVar[dict[str, str]] = {"region": "regions"}

    name: Annotated[str, Check(lambda value: None if value.islower() else "must be lower case")]
    size: Annotated[int, Range(1, 9)] = 1
    when: datetime | None = None


class Outer(msgspec.Struct, frozen=True, kw_only=True):
    usd: Decimal = Decimal(0)
    ratio: float = 0.0
    on: bool = False
    secret: Secret | None = None
    mode: Annotated[Literal["a", "b"], Later("c")] = "a"
    count: Annotated[int, Range(1, 9)] | Literal["auto"] = "auto"
    tags: dict[str, str] = {}
    inner: tuple[Inner, ...] = ()
    listed: list[int] = []


def value(text: str, environ: dict[str, str] | None = None) -> Outer:
    return read(text.encode(), Outer, environ or {}, "f").done()


def problems(text: str, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        value(text, environ)
    return [str(problem) for problem in caught.value.problems]


def test_all_mistakes_come_at_once_in_the_order_of_lines():
    text = """\
usd: much
on: "true"
mode: d
count: 10
tags: x
inner:
  - {name: UP, size: 0, region: x}
  - {nam: low, when: 2027-02-30}
  - 7
listed: [1, b]
secrt: x
"""
    assert problems(text) == [
        "f:1: usd: expected a decimal number, got 'much'",
        "f:2: on: expected true or false, got 'true' in quotes",
        "f:3: mode: must be one of a, b; nearest: a; got 'd'",
        "f:4: count: must be between 1 and 9, not '10'",
        "f:5: tags: expected a mapping, got 'x'",
        "f:7: inner[0].name: must be lower case",
        "f:7: inner[0].size: must be between 1 and 9, not '0'",
        "f:7: inner[0].region: this version of fastgate does not have regions yet; nearest known key: when",
        "f:8: inner[1].nam: unknown key; nearest known key: name",
        "f:8: inner[1].when: expected a date or a date with time, got '2027-02-30'",
        "f:8: inner[1].name: missing",
        "f:9: inner[2]: expected a mapping, got '7'",
        "f:10: listed[1]: expected a whole number, got 'b'",
        "f:11: secrt: unknown key; nearest known key: secret",
    ]


def test_a_value_of_a_later_version_says_so():
    assert problems("mode: c") == ["f:1: mode: this version of fastgate does not have c yet"]


@given(st.decimals(allow_nan=False, allow_infinity=False, places=9, min_value=0, max_value=10**9))
def test_money_is_read_exactly_as_written(amount):
    assert value(f"usd: {amount:f}").usd == amount
    assert value(f"usd: '{amount:f}'").usd == amount


@given(st.integers(1, 9))
def test_a_reference_is_read_as_the_type_that_is_expected(number):
    assert value("count: ${N}", {"N": str(number)}).count == number
    assert value("count: ${N}", {"N": "auto"}).count == "auto"


@given(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=12, max_size=30))
def test_no_error_ever_prints_a_variables_value(hidden):
    text = "count: ${V}\nusd: ${V}\non: ${V}\nmode: ${V}\nlisted: [${V}]\n"
    text += "inner: [{name: '${V}X', size: ${V}, when: ${V}}]"
    assert not any(hidden in line for line in problems(text, {"V": f"x{hidden}"}))


def test_a_secret_keeps_how_it_was_written():
    secret = value("secret: pre-${KEY}", {"KEY": "hush"}).secret
    assert secret is not None
    assert (secret.reveal(), secret.reference) == ("pre-hush", "pre-${KEY}")
    assert problems("secret: ${KEY}") == ["f:1: secret: environment variable KEY is not set"]


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2027-01-01", datetime(2027, 1, 1, tzinfo=UTC)),
        ("2027-01-01 06:30:00", datetime(2027, 1, 1, 6, 30, tzinfo=UTC)),
        ("2027-01-01T06:30:00Z", datetime(2027, 1, 1, 6, 30, tzinfo=UTC)),
        ("2027-01-01T06:30:00+02:00", datetime(2027, 1, 1, 6, 30, tzinfo=timezone(timedelta(hours=2)))),
    ],
)
def test_dates_are_utc_unless_they_say_otherwise(written, moment):
    read_moment = value(f"inner: [{{name: a, when: {written}}}]").inner[0].when
    assert read_moment == moment
    assert read_moment is not None and read_moment.tzinfo is UTC


def test_text_is_taken_as_written_whatever_yaml_makes_of_it():
    assert value("tags: {a: 007, b: off, c: 1e3, d: 2027-01-01}").tags == {
        "a": "007",
        "b": "off",
        "c": "1e3",
        "d": "2027-01-01",
    }
    assert problems("tags: {a: }") == ["f:1: tags.a: has no value"]


def test_an_empty_collection_is_its_default_but_an_empty_value_is_a_mistake():
    assert value("inner:\nlisted: ~\ntags:\nsecret:\n") == Outer()
    assert problems("usd:") == ["f:1: usd: has no value"]


@given(st.sampled_from(["base_url", "anthropic_version", "admin_token"]), st.data())
def test_one_wrong_letter_still_finds_the_key(name, data):
    at = data.draw(st.integers(0, len(name) - 1))
    wrong = name[:at] + data.draw(st.sampled_from("qxz")) + name[at + 1 :]
    assert nearest(wrong, ["base_url", "anthropic_version", "admin_token", "x", "kind"]) == name
