"""Laws of money: exact, rounded up once, never wrapping; a bound that nothing within it exceeds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fastgate._core.money import MAX_PPM, MAX_PRICE_PICO, MAX_TOOL_NANO, PriceRow, format_usd, parse_usd
from fastgate._core.usage import Usage
from tests.model import money as model

COUNTS = st.one_of(st.integers(0, 300_000), st.integers(0, 2**53))
PRICES = st.one_of(st.integers(0, 100_000_000), st.integers(0, MAX_PRICE_PICO))
FACTORS = st.one_of(st.sampled_from([1_000_000, 1_100_000, 2_000_000, 6_000_000]), st.integers(0, MAX_PPM))
NANO = st.integers(-(2**63), 2**63 - 1)


@st.composite
def rows(draw: st.DrawFn) -> model.Row:
    tier_at = draw(st.one_of(st.just(0), st.integers(1, 400_000)))
    base = tuple(draw(PRICES) for _ in range(5))
    above = tuple(draw(PRICES) for _ in range(5)) if tier_at else base
    tools = tuple(draw(st.integers(0, MAX_TOOL_NANO)) for _ in range(3))
    return model.Row(base, tier_at, above, tools, draw(FACTORS), draw(FACTORS))  # type: ignore[arg-type]


@st.composite
def tokens(draw: st.DrawFn) -> model.Tokens:
    classes = [draw(COUNTS) for _ in range(5)]
    uses = [draw(st.integers(0, 100)) for _ in range(3)]
    return model.Tokens(*classes, *uses, draw(st.booleans()), draw(st.booleans()))


def compiled(row: model.Row) -> PriceRow:
    return PriceRow.of_ints(row.ints())


def usage(t: model.Tokens) -> Usage:
    return Usage.of(
        input_tokens=t.input,
        output_tokens=t.output,
        cache_write_5m_tokens=t.write_5m,
        cache_write_1h_tokens=t.write_1h,
        cache_read_tokens=t.read,
        web_search=t.web_search,
        web_fetch=t.web_fetch,
        code_execution=t.code_execution,
        fast=t.fast,
        us_geo=t.us_geo,
    )


def cost_or_overflow(row: model.Row, t: model.Tokens) -> int | None:
    try:
        return compiled(row).cost(usage(t))
    except OverflowError:
        return None


def expected_or_overflow(row: model.Row, t: model.Tokens) -> int | None:
    try:
        return model.cost_nano(row, t)
    except OverflowError:
        return None


@pytest.mark.promise("P-08", bound="equal to exact fractions, rounded up, for every price and count")
@given(rows(), tokens())
def test_cost_is_the_exact_sum_rounded_up_or_an_overflow(row: model.Row, t: model.Tokens) -> None:
    assert cost_or_overflow(row, t) == expected_or_overflow(row, t)


ONE_PICO = model.Row((1, 1, 1, 1, 1), 0, (1, 1, 1, 1, 1), (0, 0, 0), 1_000_000, 1_000_000)
DEAREST = model.Row((MAX_PRICE_PICO,) * 5, 1, (MAX_PRICE_PICO,) * 5, (MAX_TOOL_NANO,) * 3, MAX_PPM, MAX_PPM)


@pytest.mark.parametrize(("count", "nano"), [(0, 0), (1, 1), (999, 1), (1000, 1), (1001, 2)])
def test_a_fraction_of_a_nano_dollar_is_charged_as_one(count: int, nano: int) -> None:
    assert compiled(ONE_PICO).cost(Usage.of(input_tokens=count)) == nano


@pytest.mark.promise("P-08", bound="an overflow is refused, never wrapped")
@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("us_geo", [False, True])
def test_the_largest_sums_overflow_and_never_wrap(fast: bool, us_geo: bool) -> None:
    most = model.Tokens(*[2**53] * 5, 2**53, 2**53, 2**53, fast, us_geo)
    with pytest.raises(OverflowError):
        compiled(DEAREST).cost(usage(most))
    with pytest.raises(OverflowError):
        compiled(DEAREST).bound(2**62, 2**62, 2**62, True, fast, us_geo)


@pytest.mark.parametrize("us_geo", [False, True])
def test_the_last_nano_dollar_of_int64_is_charged_and_the_next_is_not(us_geo: bool) -> None:
    # 1,023 nano-dollars for each of 2^53 tokens and one for each of 2^53 - 1 others: 2^63 - 1.
    # With a factor of two the same sum comes from half the prices.
    base = (1_023_000, 1_000, 0, 0, 0) if not us_geo else (511_500, 500, 0, 0, 0)
    row = replace(ONE_PICO, base=base, us_geo_ppm=2_000_000)
    at = model.Tokens(input=2**53, output=2**53 - 1, us_geo=us_geo)
    assert compiled(row).cost(usage(at)) == model.cost_nano(row, at) == 2**63 - 1
    with pytest.raises(OverflowError):
        compiled(row).cost(usage(replace(at, output=2**53)))


@given(rows(), tokens(), st.data())
def test_a_bound_covers_every_usage_within_it(row: model.Row, t: model.Tokens, data: st.DataObject) -> None:
    slack = data.draw(st.integers(0, 1000))
    ttl_1h = t.write_1h > 0 or data.draw(st.booleans())
    fast = t.fast or data.draw(st.booleans())
    us_geo = t.us_geo or data.draw(st.booleans())
    try:
        bound = compiled(row).bound(t.prompt + slack, t.output + slack, t.uses + slack, ttl_1h, fast, us_geo)
    except OverflowError:
        return  # no amount covers it: the caller cannot hold that much and refuses
    assert bound >= model.cost_nano(row, t)


@given(rows(), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 9))
def test_a_bound_never_falls_when_a_count_or_a_possibility_is_added(
    row: model.Row, prompt: int, output: int, uses: int
) -> None:
    price = compiled(replace(row, tools=tuple(n // 10**6 for n in row.tools)))  # type: ignore[arg-type]
    try:
        dearest = price.bound(prompt + 1, output + 1, uses + 1)
    except OverflowError:
        return
    for ttl_1h in (False, True):
        for fast in (False, True):
            for us_geo in (False, True):
                assert price.bound(prompt, output, uses, ttl_1h, fast, us_geo) <= dearest


@given(rows(), tokens(), st.sampled_from(["input", "output", "write_5m", "write_1h", "read", "web_search"]))
def test_more_usage_never_costs_less(row: model.Row, t: model.Tokens, field: str) -> None:
    # Holds where the tier is not cheaper than the base, as in every row that the sanity checks accept.
    row = replace(row, above=tuple(max(pair) for pair in zip(row.base, row.above, strict=True)))  # type: ignore[arg-type]
    before = cost_or_overflow(row, replace(t, **{field: getattr(t, field) // 2}))
    after = cost_or_overflow(row, t)
    assert after is None or (before is not None and before <= after)


@given(rows())
def test_a_row_is_its_ints(row: model.Row) -> None:
    price = compiled(row)
    assert price.ints() == row.ints()
    assert PriceRow.of_ints(price.ints()) == price
    assert hash(PriceRow.of_ints(price.ints())) == hash(price)


@given(rows(), st.integers(0, 15), st.integers(1, 10**6))
def test_rows_with_other_ints_are_other_rows(row: model.Row, at: int, by: int) -> None:
    ints = list(row.ints())
    ints[at] += by
    try:
        other = PriceRow.of_ints(tuple(ints))
    except ValueError:
        return  # beyond a limit, or a price above a tier that the row does not have
    # Without a tier the prices above it are those below it, whatever the ints say.
    assert (other == compiled(row)) == (6 <= at <= 10 and row.tier_at == 0)


@given(NANO)
@example(0)
@example(-(2**63))
@example(2**63 - 1)
def test_dollars_are_written_with_nine_places_and_read_back(nano: int) -> None:
    text = format_usd(nano)
    assert text == model.usd(nano)
    if nano != -(2**63):  # amounts are read within plus and minus 2^63 - 1
        assert parse_usd(text) == nano


@given(st.integers(0, 10**9), st.text("0123456789", max_size=9))
def test_fewer_decimals_are_read_as_written(whole: int, decimals: str) -> None:
    text = f"{whole}.{decimals}" if decimals else str(whole)
    assert parse_usd(text) == whole * 10**9 + int(decimals.ljust(9, "0"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        ".",
        "1.",
        ".5",
        "1e3",
        "1_000",
        "+1",
        " 1",
        "1 ",
        "--1",
        "0x1",
        "nan",
        "inf",
        "1,5",
        "\uff11",  # a digit, but not an ASCII one
        "1.0000000001",
    ],
)
def test_what_is_not_a_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_usd(text)


@pytest.mark.parametrize("text", ["9223372036.854775808", "-9223372037", "1" * 5000])
def test_amounts_beyond_int64_are_refused(text: str) -> None:
    with pytest.raises(OverflowError):
        parse_usd(text)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("input_pico", -1),
        ("input_pico", MAX_PRICE_PICO + 1),
        ("input_above_pico", -2),
        ("web_search_nano", MAX_TOOL_NANO + 1),
        ("fast_ppm", MAX_PPM + 1),
        ("us_geo_ppm", -1),
        ("tier_at", -1),
    ],
)
def test_a_row_outside_the_limits_is_refused_by_name(field: str, value: int) -> None:
    good = {f"{name}_pico": 1 for name in ("input", "output", "cache_write_5m", "cache_write_1h", "cache_read")}
    good["tier_at"] = 1
    assert PriceRow.new(**good).input_pico == 1
    with pytest.raises(ValueError, match=field):
        PriceRow.new(**good | {field: value})


@pytest.mark.parametrize("value", [1.0, True, "1", None])
def test_only_ints_make_a_row(value: object) -> None:
    fields: dict[str, object] = dict.fromkeys(
        ["output_pico", "cache_write_5m_pico", "cache_write_1h_pico", "cache_read_pico"], 1
    )
    with pytest.raises(TypeError, match="input_pico"):
        PriceRow.new(input_pico=value, **fields)  # type: ignore[arg-type]


def test_a_price_above_a_tier_needs_the_tier() -> None:
    classes = ("input_pico", "output_pico", "cache_write_5m_pico", "cache_write_1h_pico", "cache_read_pico")
    with pytest.raises(ValueError, match="tier"):
        PriceRow.new(**dict.fromkeys(classes, 1), input_above_pico=2)


def test_a_row_is_neither_made_short_nor_by_its_class() -> None:
    with pytest.raises(ValueError, match="16"):
        PriceRow.of_ints(ONE_PICO.ints()[:15])
    with pytest.raises(TypeError):
        PriceRow()


@pytest.mark.parametrize("counts", [(-1, 0, 0), (0, -1, 0), (0, 0, -1)])
def test_negative_counts_have_no_bound(counts: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError):
        compiled(ONE_PICO).bound(*counts)
